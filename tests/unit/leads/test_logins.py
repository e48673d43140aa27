"""Sessions, keys, tokens and the throttle, without a server."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from argon2 import PasswordHasher

from services.leads.auth import accounts, login
from services.leads.auth.accounts import Account
from services.leads.auth.login import Refused, SlowDown
from services.leads.auth.parts import Auth
from services.leads.auth.passwords import Passwords
from services.leads.auth.sessions import SessionOver, Sessions
from services.leads.auth.signing_keys import KeyRing, MissingKey
from services.leads.auth.throttle import LONGEST_PAUSE, Throttle
from services.leads.auth.tokens import AccessTokens, BadToken, Identity
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime.now(UTC)
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
EMAIL = "lena@firm.example"


@dataclass
class Office:
    """Everything about logging in, on buckets in memory."""

    accounts: MemoryBucket = field(default_factory=MemoryBucket)
    sessions: MemoryBucket = field(default_factory=MemoryBucket)
    keys: MemoryBucket = field(default_factory=MemoryBucket)
    clock: list[float] = field(default_factory=lambda: [1000.0])

    def auth(self, hasher: PasswordHasher = CHEAP) -> Auth:
        ring = KeyRing(self.keys, lambda: self.clock[0])
        tokens = AccessTokens(
            ring, issuer="leadlog", audience="leads", lifetime=timedelta(minutes=10)
        )
        sessions = Sessions(self.sessions, timedelta(days=30))
        throttle = Throttle(lambda: self.clock[0])
        return Auth(self.accounts, Passwords(hasher), sessions, ring, tokens, throttle)

    async def hire(self) -> Account:
        account, _ = await accounts.create_account(
            self.accounts, EMAIL, "Lena", PASSWORD, hasher=Passwords(CHEAP)
        )
        return account


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_login_gives_tokens_that_name_the_account(office: Office) -> None:
    account, auth = await office.hire(), office.auth()
    tokens = await login.log_in(auth, EMAIL.upper(), PASSWORD, NOW)
    identity = await auth.tokens.verify(tokens.access)

    assert identity.account_id == account.id
    assert tokens.refresh.startswith(identity.session_id + ".")
    assert tokens.access not in repr(tokens)


async def test_no_bucket_holds_a_secret_in_the_clear(office: Office) -> None:
    await office.hire()
    tokens = await login.log_in(office.auth(), EMAIL, PASSWORD, NOW)
    stored = b"".join(entry.value for entry in office.sessions.entries.values())

    assert tokens.refresh.split(".")[1].encode() not in stored


@pytest.mark.parametrize(
    ("email", "password"), [(EMAIL, "wrong"), ("nobody@firm.example", PASSWORD), ("", "")]
)
async def test_wrong_credentials_are_refused_alike(
    office: Office, email: str, password: str
) -> None:
    await office.hire()
    with pytest.raises(Refused):
        await login.log_in(office.auth(), email, password, NOW)


async def test_a_session_ends_thirty_days_after_the_login_however_often_it_is_renewed(
    office: Office,
) -> None:
    await office.hire()
    auth = office.auth()
    tokens = await login.log_in(auth, EMAIL, PASSWORD, NOW)
    tokens = await login.renew(auth, tokens.refresh, NOW + timedelta(days=29))
    with pytest.raises(Refused):
        await login.renew(auth, tokens.refresh, NOW + timedelta(days=30))


async def test_an_old_refresh_token_ends_the_session(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    first = await login.log_in(auth, EMAIL, PASSWORD, NOW)
    second = await login.renew(auth, first.refresh, NOW)
    for token in (first.refresh, second.refresh):
        with pytest.raises(Refused):
            await login.renew(auth, token, NOW)

    assert office.sessions.entries == {}


async def test_of_two_renewals_at_once_the_slower_ends_the_session(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    tokens = await login.log_in(auth, EMAIL, PASSWORD, NOW)
    one = await auth.sessions.check(tokens.refresh, NOW)
    other = await auth.sessions.check(tokens.refresh, NOW)
    await auth.sessions.rotate(one)
    with pytest.raises(SessionOver):
        await auth.sessions.rotate(other)

    assert office.sessions.entries == {}


async def test_a_stronger_cost_is_taken_on_at_the_next_login(office: Office) -> None:
    before = await office.hire()
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    tokens = await login.log_in(office.auth(stronger), EMAIL, PASSWORD, NOW)
    (after,) = await accounts.list_accounts(office.accounts)

    assert "m=8,t=1" in before.password_hash
    assert "m=16,t=2" in after.password_hash
    assert after.epoch == before.epoch
    assert await login.renew(office.auth(stronger), tokens.refresh, NOW)


async def test_failures_slow_down_more_and_more_and_a_success_forgets_them(
    office: Office,
) -> None:
    await office.hire()
    auth = office.auth()
    pauses = []
    for _ in range(14):
        while (pause := auth.throttle.pause_left(accounts.account_key(EMAIL))) > 0:
            pauses.append(pause)
            with pytest.raises(SlowDown):
                await login.log_in(auth, EMAIL, PASSWORD, NOW)
            office.clock[0] += pause
        with pytest.raises(Refused):
            await login.log_in(auth, EMAIL, "wrong", NOW)

    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert max(pauses) == LONGEST_PAUSE
    office.clock[0] += LONGEST_PAUSE
    assert await login.log_in(auth, EMAIL, PASSWORD, NOW)
    assert await login.log_in(auth, EMAIL, PASSWORD, NOW)


async def test_many_guesses_at_once_do_not_slip_through(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    outcomes = await asyncio.gather(
        *(login.log_in(auth, EMAIL, f"guess {n}", NOW) for n in range(30)),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes].count(Refused) <= 6


def test_the_throttle_remembers_a_bounded_number_of_accounts() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(10_100):
        for _ in range(2):
            throttle.failed(str(number))

    assert len(throttle._failures) == 10_000


async def test_concurrent_replicas_agree_on_one_key(office: Office) -> None:
    rings = [KeyRing(office.keys) for _ in range(5)]
    keys = await asyncio.gather(*(ring.current() for ring in rings))

    assert len({key.kid for key in keys}) == 1
    assert set(office.keys.entries) == {"current", keys[0].kid}
    assert "private" not in repr(keys[0]).lower()


async def test_a_key_made_elsewhere_is_looked_for_but_not_all_the_time(office: Office) -> None:
    mine, clock = office.auth(), office.clock
    await mine.keys.current()
    other = KeyRing(MemoryBucket(), lambda: clock[0])
    new_key = await other.current()
    office.keys.reads = 0
    assert await mine.keys.verifier(new_key.kid) is None
    assert await mine.keys.verifier("made-up") is None
    assert office.keys.reads == 0
    clock[0] += 6
    assert await mine.keys.verifier("made-up") is None
    reads = office.keys.reads
    assert reads > 0
    assert await mine.keys.verifier("made-up-too") is None
    assert office.keys.reads == reads
    for name, entry in other._bucket.entries.items():  # type: ignore[attr-defined]
        office.keys.entries.setdefault(name, entry)
    clock[0] += 6
    found = await mine.keys.verifier(new_key.kid)
    assert found is not None
    assert found.kid == new_key.kid


async def test_a_current_key_that_is_not_there_is_said_so(office: Office) -> None:
    await office.keys.put("current", b"gone")
    with pytest.raises(MissingKey, match="delete its entry 'current'"):
        await KeyRing(office.keys).current()


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "sid", "iat", "exp", "jti"])
async def test_a_token_without_a_claim_is_refused(office: Office, missing: str) -> None:
    auth = office.auth()
    token = await auth.tokens.issue(Identity("a", "s"), NOW)
    claims = jwt.decode(token, options={"verify_signature": False})
    del claims[missing]
    key = await auth.keys.current()
    forged = jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.kid})
    with pytest.raises(BadToken):
        await auth.tokens.verify(forged)


@pytest.mark.parametrize(
    "change", [{"iss": "other"}, {"aud": "other"}, {"exp": NOW - timedelta(seconds=1)}]
)
async def test_a_token_of_another_issuer_audience_or_time_is_refused(
    office: Office, change: dict[str, object]
) -> None:
    auth = office.auth()
    token = await auth.tokens.issue(Identity("a", "s"), NOW)
    claims = {**jwt.decode(token, options={"verify_signature": False}), **change}
    key = await auth.keys.current()
    with pytest.raises(BadToken):
        await auth.tokens.verify(jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.kid}))


async def test_a_token_of_a_replica_whose_clock_is_ahead_is_good(office: Office) -> None:
    auth = office.auth()
    token = await auth.tokens.issue(Identity("a", "s"), NOW + timedelta(seconds=30))
    assert (await auth.tokens.verify(token)).account_id == "a"


def test_a_failure_that_was_none_is_taken_back() -> None:
    throttle = Throttle(lambda: 0.0)
    for _ in range(50):
        throttle.failed("key")
        throttle.spare("key")
    assert throttle.pause_left("key") == 0
