"""Who always finds that somebody else was faster gives up, and nothing is written."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from libs.chassis.buckets import WrongRevision
from libs.chassis.errors import StoreUnavailable
from services.leads.auth import accounts, administration
from services.leads.auth.accounts import Account
from services.leads.auth.passwords import Passwords
from services.leads.auth.permissions import Role
from services.leads.auth.sessions import ClientInfo, Sessions
from services.leads.auth.tries import MOST
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 2, tzinfo=UTC)
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
EMAIL = "lena@firm.example"


@dataclass
class Contested(MemoryBucket):
    """Somebody else is faster, so often."""

    lost: int = 0
    tried: int = field(default=0, init=False)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        self.tried += 1
        if self.tried <= self.lost:
            raise WrongRevision(key)
        return await super().update(key, value, revision)


def renamed(account: Account) -> Account:
    return account.model_copy(update={"name": "Lena W."})


async def change(bucket: Contested) -> None:
    account, _ = await accounts.create_account(bucket, EMAIL, "Lena", hasher=CHEAP)
    await accounts.change(bucket, accounts.account_key(account.email), renamed)


async def administer(bucket: Contested) -> None:
    account, _ = await accounts.create_account(
        bucket, EMAIL, "Lena", role=Role.VIEWER, hasher=CHEAP
    )
    await administration.change_account(bucket, account.id, renamed, NOW)


async def login(bucket: Contested) -> tuple[Sessions, str]:
    account, _ = await accounts.create_account(MemoryBucket(), EMAIL, "Lena", hasher=CHEAP)
    sessions = Sessions(bucket, timedelta(days=1))
    session_id, _ = await sessions.open(
        accounts.account_key(EMAIL),
        account,
        NOW,
        methods=frozenset({"pwd"}),
        client=ClientInfo("203.0.113.7", "test"),
    )
    return sessions, session_id


async def keep(bucket: Contested) -> None:
    sessions, session_id = await login(bucket)
    await sessions.keep(session_id, 2)


async def strengthen(bucket: Contested) -> None:
    sessions, session_id = await login(bucket)
    await sessions.strengthen(session_id, frozenset({"otp"}), NOW)


@pytest.mark.parametrize("write", [change, administer, keep, strengthen])
async def test_tries_are_counted(write: Callable[[Contested], Awaitable[None]]) -> None:
    bucket = Contested(lost=10_000)
    with pytest.raises(StoreUnavailable):
        await write(bucket)
    assert bucket.tried == MOST

    bucket = Contested(lost=3)
    await write(bucket)
    assert bucket.tried == 4
