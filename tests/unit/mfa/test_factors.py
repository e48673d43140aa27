"""Using and adding factors, on buckets in memory."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.leads.auth.mfa import factors, totp
from services.leads.auth.mfa.factors import CodesPaused, NoFactor, WrongCode
from services.leads.auth.mfa.parts import Mfa
from services.leads.auth.mfa.sealing import CannotOpen, Sealing, new_key
from services.leads.auth.mfa.sign_ins import SignInOver
from tests.unit.mfa.office import second_factors

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LENA, OMAR = "01a20e80-0000-7000-8000-000000000001", "01a20e80-0000-7000-8000-000000000002"


def code(secret: str, at: datetime = NOW) -> str:
    return totp.code_at(secret, totp.step_at(at))


async def enrolled(mfa: Mfa) -> tuple[str, tuple[str, ...]]:
    """Add an app with the code of the step before; returns its secret and recovery codes."""
    name, secret, _ = await factors.begin_totp(mfa, LENA, "lena@firm.example", NOW)
    before = NOW - timedelta(seconds=30)
    return secret, await factors.confirm_totp(mfa, LENA, name, code(secret, before), NOW)


async def test_somebody_else_cannot_confirm_an_enrolment() -> None:
    mfa = second_factors()
    name, secret, _ = await factors.begin_totp(mfa, LENA, "lena@firm.example", NOW)
    with pytest.raises(WrongCode):
        await factors.confirm_totp(mfa, OMAR, name, code(secret), NOW)
    assert not (await mfa.credentials.read(OMAR)).has_factor


async def test_an_enrolment_has_five_tries_and_ten_minutes() -> None:
    mfa = second_factors()
    name, secret, _ = await factors.begin_totp(mfa, LENA, "lena@firm.example", NOW)
    for _ in range(5):
        with pytest.raises(WrongCode):
            await factors.confirm_totp(mfa, LENA, name, "wrong", NOW)
    with pytest.raises(SignInOver):
        await factors.confirm_totp(mfa, LENA, name, code(secret), NOW)
    late, secret, _ = await factors.begin_totp(mfa, LENA, "lena@firm.example", NOW)
    then = NOW + timedelta(minutes=10)
    with pytest.raises(SignInOver):
        await factors.confirm_totp(mfa, LENA, late, code(secret, then), then)


async def test_a_second_app_takes_the_place_of_the_first_and_keeps_the_recovery_codes() -> None:
    mfa = second_factors()
    old, codes = await enrolled(mfa)
    new, none = await enrolled(mfa)
    assert (len(codes), none) == (10, ())
    with pytest.raises(WrongCode):
        await factors.use_code(mfa, LENA, code(old), NOW)
    await factors.use_code(mfa, LENA, code(new), NOW)
    assert await factors.use_recovery_code(mfa, LENA, codes[0]) == 9


async def test_a_code_used_many_times_at_once_counts_once() -> None:
    mfa = second_factors()
    secret, _ = await enrolled(mfa)
    results = await asyncio.gather(
        *(factors.use_code(mfa, LENA, code(secret), NOW) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(one is None for one in results) == 1
    assert sum(isinstance(one, WrongCode) for one in results) == 3


async def test_many_guesses_at_once_are_no_more_than_the_pause_allows() -> None:
    mfa = second_factors()
    secret, _ = await enrolled(mfa)
    results = await asyncio.gather(
        *(factors.use_code(mfa, LENA, "wrong", NOW) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, WrongCode) for one in results) == 6
    assert sum(isinstance(one, CodesPaused) for one in results) == 14
    assert sum(isinstance(one, WrongCode) and one.alarm for one in results) == 1
    with pytest.raises(CodesPaused) as paused:
        await factors.use_code(mfa, LENA, code(secret), NOW)
    assert paused.value.seconds == 60


async def test_who_has_no_app_has_no_code() -> None:
    mfa = second_factors()
    with pytest.raises(WrongCode):
        await factors.use_code(mfa, LENA, "000000", NOW)
    with pytest.raises(WrongCode):
        await factors.use_recovery_code(mfa, LENA, "aaaa")
    with pytest.raises(NoFactor):
        await factors.renew_recovery_codes(mfa, LENA)


async def test_a_used_code_seals_the_secret_with_the_newest_key() -> None:
    old, new = new_key(), new_key()
    mfa = second_factors(old)
    secret, _ = await enrolled(mfa)
    object.__setattr__(mfa, "sealing", Sealing([new, old]))
    await factors.use_code(mfa, LENA, code(secret), NOW)
    kept = (await mfa.credentials.read(LENA)).totp
    assert kept is not None
    assert Sealing([new]).open(kept.secret, LENA) == secret
    object.__setattr__(mfa, "sealing", Sealing())
    with pytest.raises(CannotOpen):
        await factors.use_code(mfa, LENA, code(secret), NOW + timedelta(seconds=30))
