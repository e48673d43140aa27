"""Sessions, keys, tokens and the throttle, without a server."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from argon2 import PasswordHasher

from services.leads.auth import accounts, login
from services.leads.auth.accounts import Account
from services.leads.auth.live import LiveSessions
from services.leads.auth.live_keys import LiveKeys
from services.leads.auth.login import Refused, SlowDown
from services.leads.auth.parts import Auth
from services.leads.auth.passwords import Passwords
from services.leads.auth.sessions import GRACE, ClientInfo, SessionOver, Sessions
from services.leads.auth.signing_keys import KeyRing, MissingKey
from services.leads.auth.throttle import UNKNOWN_PAUSE, Lane, Throttle
from services.leads.auth.tokens import AccessTokens, BadToken, Identity
from tests.unit.leads.memory_bucket import MemoryBucket
from tests.unit.mfa.office import second_factors

NOW = datetime.now(UTC)
CLIENT = ClientInfo("203.0.113.7", "test")
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
        live = LiveSessions(sessions, self.accounts, lambda: self.clock[0])
        parts = (self.accounts, Passwords(hasher), sessions, ring, tokens, throttle, live)
        api_keys = MemoryBucket()
        return Auth(*parts, mfa=second_factors(), api_keys=api_keys, live_keys=LiveKeys(api_keys))

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
    tokens = await login.log_in(auth, EMAIL.upper(), PASSWORD, datetime.now(UTC), CLIENT)
    identity = await auth.tokens.verify(tokens.access)

    assert identity.account_id == account.id
    assert tokens.refresh.startswith(identity.session_id + ".")
    assert tokens.access not in repr(tokens)


async def test_no_bucket_holds_a_secret_in_the_clear(office: Office) -> None:
    await office.hire()
    tokens = await login.log_in(office.auth(), EMAIL, PASSWORD, NOW, CLIENT)
    stored = b"".join(entry.value for entry in office.sessions.entries.values())

    assert tokens.refresh.rpartition(".")[2].encode() not in stored


@pytest.mark.parametrize(
    ("email", "password"), [(EMAIL, "wrong"), ("nobody@firm.example", PASSWORD), ("", "")]
)
async def test_wrong_credentials_are_refused_alike(
    office: Office, email: str, password: str
) -> None:
    await office.hire()
    with pytest.raises(Refused):
        await login.log_in(office.auth(), email, password, NOW, CLIENT)


async def test_a_session_ends_thirty_days_after_the_login_however_often_it_is_renewed(
    office: Office,
) -> None:
    await office.hire()
    auth = office.auth()
    tokens = await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    tokens = await login.renew(auth, tokens.refresh, NOW + timedelta(days=29))
    with pytest.raises(Refused):
        await login.renew(auth, tokens.refresh, NOW + timedelta(days=30))


async def test_an_old_refresh_token_ends_the_session(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    first = await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    second = await login.renew(auth, first.refresh, NOW)
    for token in (first.refresh, second.refresh):
        with pytest.raises(Refused):
            await login.renew(auth, token, NOW + GRACE)

    assert office.sessions.entries == {}


async def test_a_client_that_lost_the_answer_gets_the_same_token_again(office: Office) -> None:
    await office.hire()
    auth, soon = office.auth(), NOW + GRACE - timedelta(seconds=1)
    first = await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    answers = [await login.renew(auth, first.refresh, at) for at in (NOW, soon, soon)]

    assert len({answer.refresh for answer in answers}) == 1
    assert answers[0].refresh != first.refresh
    third = await login.renew(auth, answers[0].refresh, soon)
    with pytest.raises(Refused):  # once the next token is in use, the first one is an old one
        await login.renew(auth, first.refresh, soon)
    with pytest.raises(Refused):
        await login.renew(auth, third.refresh, soon)


async def test_many_renewals_at_once_get_the_same_token(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    first = await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    answers = await asyncio.gather(*(login.renew(auth, first.refresh, NOW) for _ in range(8)))
    stored = b"".join(entry.value for entry in office.sessions.entries.values())

    assert len({answer.refresh for answer in answers}) == 1
    assert answers[0].refresh.rpartition(".")[2].encode() not in stored
    assert await login.renew(auth, answers[0].refresh, NOW)


async def test_a_session_that_ends_while_it_is_renewed_stays_ended(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    tokens = await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    shown = await auth.sessions.check(tokens.refresh, NOW)
    await auth.sessions.end(shown.id)
    with pytest.raises(SessionOver):
        await auth.sessions.rotate(shown, NOW)

    assert office.sessions.entries == {}


async def test_a_session_with_an_id_from_before_is_renewed_and_listed(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    tokens = await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    session_id, _, secret = tokens.refresh.rpartition(".")
    short = session_id.partition(".")[2]
    office.sessions.entries[short] = office.sessions.entries.pop(session_id)
    renewed = await login.renew(auth, f"{short}.{secret}", NOW)
    stored = await accounts.find(office.accounts, accounts.account_key(EMAIL))

    assert stored is not None
    assert renewed.refresh.startswith(f"{short}.")
    assert [one.id for one in await auth.sessions.of_account(stored, NOW)] == [short]


async def test_only_the_accounts_own_standing_sessions_are_listed(office: Office) -> None:
    await office.hire()
    await accounts.create_account(office.accounts, "o@firm.example", "Omar", PASSWORD)
    auth = office.auth()
    for email, day in ((EMAIL, 0), (EMAIL, 20), (EMAIL, 25), ("o@firm.example", 25)):
        await login.log_in(auth, email, PASSWORD, NOW + timedelta(days=day), CLIENT)
    stored = await accounts.find(office.accounts, accounts.account_key(EMAIL))
    assert stored is not None
    standing = await auth.sessions.of_account(stored, NOW + timedelta(days=31))

    assert [one.session.created_at - NOW for one in standing] == [
        timedelta(days=25),
        timedelta(days=20),
    ]


async def test_a_stronger_cost_is_taken_on_at_the_next_login(office: Office) -> None:
    before = await office.hire()
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    tokens = await login.log_in(office.auth(stronger), EMAIL, PASSWORD, NOW, CLIENT)
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
    pauses: list[int] = []
    lane = Lane(accounts.account_key(EMAIL))
    for _ in range(16):
        while (pause := auth.throttle.pause_left(lane)) > 0:
            pauses.append(pause)
            with pytest.raises(SlowDown):
                await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
            office.clock[0] += pause
        with pytest.raises(Refused):
            await login.log_in(auth, EMAIL, "wrong", NOW, CLIENT)

    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900]
    office.clock[0] += UNKNOWN_PAUSE
    assert await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)
    assert await login.log_in(auth, EMAIL, PASSWORD, NOW, CLIENT)


async def test_many_guesses_at_once_do_not_slip_through(office: Office) -> None:
    await office.hire()
    auth = office.auth()
    outcomes = await asyncio.gather(
        *(login.log_in(auth, EMAIL, f"guess {n}", NOW, CLIENT) for n in range(30)),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes].count(Refused) <= 6


def test_the_throttle_remembers_a_bounded_number_of_accounts() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(10_100):
        for _ in range(2):
            throttle.failed(Lane(str(number)))

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
    token = await auth.tokens.issue(Identity("a", "s"), datetime.now(UTC))
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
    token = await auth.tokens.issue(Identity("a", "s"), datetime.now(UTC))
    claims = {**jwt.decode(token, options={"verify_signature": False}), **change}
    key = await auth.keys.current()
    with pytest.raises(BadToken):
        await auth.tokens.verify(jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.kid}))


async def test_a_token_of_a_replica_whose_clock_is_ahead_is_good(office: Office) -> None:
    auth = office.auth()
    ahead = datetime.now(UTC) + timedelta(seconds=30)
    token = await auth.tokens.issue(Identity("a", "s"), ahead)
    assert (await auth.tokens.verify(token)).account_id == "a"


def test_a_failure_that_was_none_is_taken_back() -> None:
    throttle = Throttle(lambda: 0.0)
    for _ in range(50):
        throttle.failed(Lane("key"))
        throttle.spare(Lane("key"))
    assert throttle.pause_left(Lane("key")) == 0
