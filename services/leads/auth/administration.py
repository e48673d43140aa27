"""What an administrator changes about accounts; one administrator always stays.

Two who demote each other at the same moment would leave none, since each change looks at
accounts it does not write. So whoever takes an administrator away first claims it in one
entry, `leaving`, by its revision: claims come one after the other, and each sees those before.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.chassis.buckets import KeyExists, WrongRevision
from services.leads.auth.accounts import (
    Account,
    AccountUnknown,
    Bucket,
    find_by_id,
    list_accounts,
)
from services.leads.auth.permissions import Role
from services.leads.auth.tries import Tries

_LEAVING: Final = "leaving"
_CLAIM: Final = timedelta(seconds=60)
"""Longer than a write takes with all its retries."""


class LastAdmin(Exception):
    """Without this account there would be no active administrator."""


class ChangedMeanwhile(Exception):
    """Somebody else changed the account at this moment, so that this is another change now."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An account before and after a change."""

    before: Account
    after: Account


def deactivated(account: Account) -> Account:
    """Return the account, refused from now on; its sessions and links are over (pure)."""
    return account.model_copy(update={"active": False, "epoch": account.epoch + 1})


def activated(account: Account) -> Account:
    """Return the account, let in again (pure)."""
    return account.model_copy(update={"active": True})


def leads_the_office(account: Account) -> bool:
    """Tell whether the account can manage the others now (pure)."""
    return account.active and not account.invited and account.role is Role.ADMIN


async def plan_change(
    bucket: Bucket, account_id: str, edit: Callable[[Account], Account]
) -> Changed:
    """Return what a change would make of an account; nothing is written.

    Raises:
        AccountUnknown: There is none with this id.
        StoreUnavailable: The bucket does not answer.
    """
    stored = await find_by_id(bucket, account_id)
    if stored is None:
        raise AccountUnknown("there is no account with this id")
    return Changed(stored.account, edit(stored.account))


async def change_account(
    bucket: Bucket, account_id: str, edit: Callable[[Account], Account], now: datetime
) -> Changed:
    """Change an account, again from its newest state if somebody else was faster.

    Raises:
        AccountUnknown: There is none with this id.
        LastAdmin: It is the last active administrator, and would be none.
        StoreUnavailable: The bucket does not answer, or others are faster time and again.
    """
    tries = Tries()
    while True:
        stored = await find_by_id(bucket, account_id)
        if stored is None:
            raise AccountUnknown("there is no account with this id")
        after = edit(stored.account)
        if after == stored.account:
            return Changed(stored.account, after)
        if leads_the_office(stored.account) and not leads_the_office(after):
            await _claim(bucket, account_id, now)
        try:
            await bucket.update(stored.key, after.model_dump_json().encode(), stored.revision)
        except WrongRevision:
            await tries.again()
            continue
        return Changed(stored.account, after)


async def _claim(bucket: Bucket, account_id: str, now: datetime) -> None:
    tries = Tries()
    while True:
        entry = await bucket.get(_LEAVING)
        claims: dict[str, str] = json.loads(entry.value) if entry else {}
        recent = {
            one: at for one, at in claims.items() if now - datetime.fromisoformat(at) < _CLAIM
        }
        gone = {*recent, account_id}
        accounts = await list_accounts(bucket)
        if not any(leads_the_office(one) and one.id not in gone for one in accounts):
            raise LastAdmin
        value = json.dumps({**recent, account_id: now.isoformat()}).encode()
        try:
            if entry is None:
                await bucket.create(_LEAVING, value)
            else:
                await bucket.update(_LEAVING, value, entry.revision)
        except (KeyExists, WrongRevision):
            await tries.again()
            continue
        return
