"""One active administrator always stays, also when two demote each other at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from services.leads.auth import accounts
from services.leads.auth.accounts import Account, AccountUnknown
from services.leads.auth.administration import (
    LastAdmin,
    activated,
    change_account,
    deactivated,
    leads_the_office,
)
from services.leads.auth.passwords import Passwords
from services.leads.auth.permissions import Role
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime.now(UTC)
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def hire(bucket: MemoryBucket, name: str, role: Role = Role.ADMIN) -> Account:
    account, _ = await accounts.create_account(
        bucket, f"{name}@firm.example", name, role=role, hasher=CHEAP
    )
    return account


def viewer(account: Account) -> Account:
    return account.model_copy(update={"role": Role.VIEWER})


@pytest.mark.parametrize("edit", [viewer, deactivated])
async def test_the_last_administrator_stays(edit: object) -> None:
    bucket = MemoryBucket()
    lena = await hire(bucket, "lena")
    await hire(bucket, "omar", Role.ATTORNEY)
    mia = await accounts.plan_invited(
        bucket, "mia@firm.example", "Mia", role=Role.ADMIN, assigned_only=False
    )
    await accounts.add(bucket, mia)
    with pytest.raises(LastAdmin):
        await change_account(bucket, lena.id, edit, NOW)  # type: ignore[arg-type]
    stored = await accounts.find_by_id(bucket, lena.id)
    assert stored is not None
    assert leads_the_office(stored.account)


async def test_one_of_two_can_go_and_then_no_other() -> None:
    bucket = MemoryBucket()
    lena, omar = await hire(bucket, "lena"), await hire(bucket, "omar")
    assert (await change_account(bucket, lena.id, deactivated, NOW)).after.epoch == 2
    with pytest.raises(LastAdmin):
        await change_account(bucket, omar.id, viewer, NOW + timedelta(minutes=5))


async def test_of_two_who_demote_each_other_one_stays() -> None:
    bucket = MemoryBucket()
    team = [await hire(bucket, name) for name in ("lena", "omar", "mia")]
    outcomes = await asyncio.gather(
        *(change_account(bucket, one.id, viewer, NOW) for one in team), return_exceptions=True
    )
    assert sum(isinstance(one, LastAdmin) for one in outcomes) >= 1
    assert any(leads_the_office(one) for one in await accounts.list_accounts(bucket))


async def test_whoever_came_back_counts_again_after_a_minute() -> None:
    bucket = MemoryBucket()
    lena, omar = await hire(bucket, "lena"), await hire(bucket, "omar")
    await change_account(bucket, lena.id, deactivated, NOW)
    await change_account(bucket, lena.id, activated, NOW)
    later = NOW + timedelta(seconds=61)
    assert (await change_account(bucket, omar.id, viewer, later)).after.role is Role.VIEWER


async def test_nothing_is_written_when_nothing_changes() -> None:
    bucket = MemoryBucket()
    lena = await hire(bucket, "lena")
    revision = bucket.revision
    await change_account(bucket, lena.id, activated, NOW)
    assert bucket.revision == revision


async def test_an_unknown_account_cannot_be_changed() -> None:
    with pytest.raises(AccountUnknown):
        await change_account(MemoryBucket(), "nobody", viewer, NOW)
