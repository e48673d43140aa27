"""API keys: how they are written, what they may be given, and when they stop working."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.chassis.buckets import Entry
from libs.chassis.errors import StoreUnavailable
from services.leads.auth import api_keys, key_text
from services.leads.auth.api_keys import GRANTABLE, THE_OPERATOR, BadApiKey, Maker
from services.leads.auth.live_keys import KEPT_SECONDS, NOTED_SECONDS, STALE_SECONDS, LiveKeys
from services.leads.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from services.leads.auth.principal import Principal
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
READ = [Permission.LEADS_READ]
ADMIN = Maker("a1", ROLE_PERMISSIONS[Role.ADMIN])


class Bucket(MemoryBucket):
    """Answers only while it is not away."""

    away = False
    held: asyncio.Event | None = None
    asked: asyncio.Event

    async def get(self, key: str) -> Entry | None:
        if self.away:
            raise StoreUnavailable("nobody is there")
        found = await super().get(key)
        if self.held is not None:
            self.asked.set()
            await self.held.wait()
        return found

    async def put(self, key: str, value: bytes) -> int:
        if self.away:
            raise StoreUnavailable("nobody is there")
        return await super().put(key, value)


class Office:
    """A bucket and one replica that looks keys up in it."""

    def __init__(self) -> None:
        self.bucket, self.clock = Bucket(), [1000.0]
        self.live = LiveKeys(self.bucket, lambda: self.clock[0])

    async def make(self, days: int = 90) -> tuple[api_keys.ApiKey, str]:
        return await api_keys.create(self.bucket, "Import", READ, days, ADMIN, NOW)

    async def principal(self, text: str, now: datetime = NOW) -> Principal | None:
        found = await self.live.principal(text, now)
        await self.live.settle()
        return found

    async def used(self) -> datetime | None:
        ((_, used),) = await api_keys.list_keys(self.bucket)
        return used


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_key_is_easily_recognised() -> None:
    text = key_text.generate("0190b1a2-0000-7000-8000-000000000001")

    assert re.fullmatch(
        r"leadlog_0190b1a2000070008000000000000001_[a-z2-7]{52}_[0-9a-f]{8}", text.written()
    )
    assert key_text.read(text.written()) == text
    assert text.secret not in repr(text)
    assert text.secret not in text.hashed()


@given(st.integers(0, 101), st.characters(codec="utf-8"))
def test_a_mistyped_key_is_none(at: int, other: str) -> None:
    written = key_text.generate("0190b1a2-0000-7000-8000-000000000001").written()
    mistyped = written[:at] + other + written[at + 1 :]

    assert (key_text.read(mistyped) is None) == (mistyped != written)
    assert key_text.read(written[:at]) is None


async def test_a_key_may_do_what_it_was_made_for(office: Office) -> None:
    key, text = await office.make()
    found = await office.principal(text)

    assert found is not None
    assert (found.key_id, found.account_id, found.actor) == (key.id, "a1", f"api-key:{key.id}")
    assert found.permissions == {Permission.LEADS_READ}
    assert found.session_id is None


async def test_no_bucket_holds_a_key_in_the_clear(office: Office) -> None:
    _, text = await office.make()
    secret = text.split("_")[2].encode()

    assert all(secret not in entry.value for entry in office.bucket.entries.values())


@pytest.mark.parametrize(
    "scope", [Permission.ACCOUNTS_MANAGE, Permission.KEYS_MANAGE, Permission.SELF]
)
def test_some_things_are_for_people_only(scope: Permission) -> None:
    with pytest.raises(BadApiKey, match=scope):
        api_keys.plan("x", [scope], 90, THE_OPERATOR, NOW)


def test_nobody_gives_more_than_they_have() -> None:
    viewer = Maker("v1", ROLE_PERMISSIONS[Role.VIEWER], assigned_only=True)
    with pytest.raises(BadApiKey, match="people:erase"):
        api_keys.plan("x", [Permission.PEOPLE_ERASE], 90, viewer, NOW)
    key, _ = api_keys.plan("x", [Permission.LEADS_READ], 90, viewer, NOW)

    assert key.assigned_only
    assert key.scopes <= GRANTABLE & viewer.permissions


@pytest.mark.parametrize("days", [-1, 0, 366, 100_000])
def test_no_key_lives_for_ever(days: int) -> None:
    with pytest.raises(BadApiKey, match="365 days"):
        api_keys.plan("x", READ, days, ADMIN, NOW)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 101])
def test_a_name_can_be_read(name: str) -> None:
    with pytest.raises(BadApiKey, match="name"):
        api_keys.plan(name, READ, 90, ADMIN, NOW)


def test_a_key_for_nothing_is_refused() -> None:
    with pytest.raises(BadApiKey, match="scope"):
        api_keys.plan("x", [], 90, ADMIN, NOW)


async def test_a_key_ends_on_its_day(office: Office) -> None:
    _, text = await office.make(days=2)

    assert await office.principal(text, NOW + timedelta(days=2, seconds=-1))
    assert await office.principal(text, NOW + timedelta(days=2)) is None


async def test_a_revoked_key_ends_within_seconds_and_for_good(office: Office) -> None:
    key, text = await office.make()
    assert await office.principal(text)
    over = await api_keys.revoke(office.bucket, key.id, NOW)
    office.clock[0] += KEPT_SECONDS

    assert await office.principal(text) is None
    assert await api_keys.revoke(office.bucket, key.id, NOW + timedelta(1)) == over
    with pytest.raises(api_keys.ApiKeyUnknown):
        await api_keys.revoke(office.bucket, "nobody", NOW)


async def test_another_secret_opens_nothing(office: Office) -> None:
    key, _ = await office.make()
    assert await office.principal(key_text.generate(key.id).written()) is None
    assert await office.used() is None


async def test_a_key_is_looked_up_every_few_seconds_only(office: Office) -> None:
    _, text = await office.make()
    for _ in range(5):
        assert await office.principal(text)
    assert office.bucket.reads == 1
    await office.principal("leadlog_made-up")
    assert office.bucket.reads == 1


async def test_a_use_is_noted_once_a_minute(office: Office) -> None:
    _, text = await office.make()
    await office.principal(text)
    await office.principal(text, NOW + timedelta(seconds=30))
    assert await office.used() == NOW
    office.clock[0] += NOTED_SECONDS
    await office.principal(text, NOW + timedelta(seconds=60))
    assert await office.used() == NOW + timedelta(seconds=60)


async def test_while_the_bucket_is_away_a_known_key_works_for_a_while(office: Office) -> None:
    _, text = await office.make()
    assert await office.principal(text)
    office.bucket.away = True
    office.clock[0] += STALE_SECONDS - 1
    assert await office.principal(text)
    office.clock[0] += STALE_SECONDS
    with pytest.raises(StoreUnavailable):
        await office.principal(text)


async def test_a_use_that_cannot_be_noted_disturbs_nobody_and_is_noted_later(
    office: Office,
) -> None:
    _, text = await office.make()
    assert await office.principal(text)
    office.clock[0] += NOTED_SECONDS - 10
    assert await office.principal(text)
    office.bucket.away = True
    office.clock[0] += 20
    assert await office.principal(text)
    office.bucket.away = False
    assert await office.principal(text, NOW + timedelta(seconds=80))
    assert await office.used() == NOW + timedelta(seconds=80)


async def test_what_was_being_read_when_it_was_revoked_is_not_kept(office: Office) -> None:
    key, text = await office.make()
    office.bucket.held, office.bucket.asked = asyncio.Event(), asyncio.Event()
    looking = asyncio.create_task(office.principal(text))
    await office.bucket.asked.wait()
    held, office.bucket.held = office.bucket.held, None
    await api_keys.revoke(office.bucket, key.id, NOW)
    office.live.forget(key.id)
    held.set()
    assert await looking is not None, "it was read before"
    assert await office.principal(text) is None
