"""A demotion, a deactivation and the end of a session work within seconds."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from libs.chassis.buckets import Entry
from libs.chassis.errors import StoreUnavailable
from services.leads.auth import accounts
from services.leads.auth.live import KEPT_SECONDS, STALE_SECONDS, LiveSessions
from services.leads.auth.passwords import Passwords
from services.leads.auth.permissions import Permission, Role
from services.leads.auth.sessions import ClientInfo, Sessions
from services.leads.auth.tokens import Identity
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime.now(UTC)
EMAIL = "lena@firm.example"


@dataclass
class _Switchable(MemoryBucket):
    away: bool = False
    held: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, key: str) -> Entry | None:
        if self.away:
            raise StoreUnavailable("nobody is there")
        found = await super().get(key)
        if self.held is not None:
            self.asked.set()
            await self.held.wait()
        return found


@dataclass
class Office:
    accounts: _Switchable = field(default_factory=_Switchable)
    sessions: _Switchable = field(default_factory=_Switchable)
    clock: list[float] = field(default_factory=lambda: [100.0])
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.logins = Sessions(self.sessions, timedelta(days=30))
        self.live = LiveSessions(self.logins, self.accounts, lambda: self.clock[0])

    async def permissions(self, now: datetime = NOW) -> set[Permission] | None:
        found = await self.live.principal(self.identity, now)
        return set(found.permissions) if found else None


@pytest.fixture
async def office() -> Office:
    office = Office()
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    account, _ = await accounts.create_account(
        office.accounts, EMAIL, "Lena", role=Role.ADMIN, hasher=cheap
    )
    session_id, _ = await office.logins.open(
        accounts.account_key(EMAIL),
        account,
        NOW,
        methods=frozenset({"pwd", "otp"}),
        client=ClientInfo("203.0.113.7", "test"),
    )
    office.identity = Identity(account.id, session_id)
    return office


async def test_a_login_is_known_with_its_role_and_methods(office: Office) -> None:
    found = await office.live.principal(office.identity, NOW)
    assert found is not None
    assert found.role is Role.ADMIN
    assert found.authenticated_with == {"pwd", "otp"}
    assert found.actor == f"account:{found.account_id}"


async def test_it_is_looked_up_once_in_a_few_seconds(office: Office) -> None:
    await office.permissions()
    reads = office.sessions.reads
    await office.permissions()
    assert office.sessions.reads == reads
    office.clock[0] += KEPT_SECONDS
    await office.permissions()
    assert office.sessions.reads > reads


async def test_a_demotion_works_within_seconds(office: Office) -> None:
    assert await office.permissions() == set(Permission)
    await accounts.set_role(office.accounts, EMAIL, Role.VIEWER)
    office.clock[0] += KEPT_SECONDS
    assert Permission.LEADS_REACH_OUT not in (await office.permissions() or set())


async def test_a_deactivation_works_within_seconds(office: Office) -> None:
    await office.permissions()
    await accounts.deactivate(office.accounts, EMAIL)
    office.clock[0] += KEPT_SECONDS
    assert await office.permissions() is None


async def test_a_session_that_is_forgotten_here_ends_at_once(office: Office) -> None:
    await office.permissions()
    await office.logins.end(office.identity.session_id)
    office.live.forget(office.identity.session_id)
    assert await office.permissions() is None


async def test_an_expired_session_is_over(office: Office) -> None:
    assert await office.permissions(NOW + timedelta(days=30)) is None


async def test_a_session_of_another_account_is_none(office: Office) -> None:
    office.identity = Identity("somebody else", office.identity.session_id)
    assert await office.permissions() is None


async def test_while_the_bucket_is_away_the_last_answer_holds_for_a_minute(office: Office) -> None:
    await office.permissions()
    office.sessions.away = True
    office.clock[0] += STALE_SECONDS - 1
    assert await office.permissions() == set(Permission)
    office.clock[0] += KEPT_SECONDS
    with pytest.raises(StoreUnavailable):
        await office.permissions()


async def test_nothing_is_guessed_about_a_session_never_seen(office: Office) -> None:
    office.sessions.away = True
    with pytest.raises(StoreUnavailable):
        await office.permissions()


async def test_what_was_being_read_when_it_was_forgotten_is_not_kept(office: Office) -> None:
    office.accounts.held = asyncio.Event()
    looking = asyncio.create_task(office.permissions())
    await office.accounts.asked.wait()  # the account is read before the session ends
    await office.logins.end(office.identity.session_id)
    office.live.forget(office.identity.session_id)
    office.accounts.held.set()
    await looking
    assert await office.permissions() is None
