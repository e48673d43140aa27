"""Ending sessions, on purpose: no HTTP here.

This replica forgets an ended session at once; the others look again within seconds
(`services.leads.auth.live.KEPT_SECONDS`). To end all of an account's sessions its epoch is
raised: that ends those as well that are opened at this very moment.
"""

from datetime import datetime

from services.leads.auth import accounts
from services.leads.auth.accounts import Account, StoredAccount
from services.leads.auth.parts import Auth
from services.leads.auth.sessions import OpenSession
from services.leads.auth.tokens import BadToken


async def sessions_of(auth: Auth, account_id: str, now: datetime) -> list[OpenSession]:
    """Return an account's standing sessions, the last used one first.

    Raises:
        AccountUnknown: There is no such account.
        StoreUnavailable: A bucket does not answer.
    """
    return await auth.sessions.of_account(await _stored(auth, account_id), now)


async def end_one(auth: Auth, account_id: str, short_id: str, now: datetime) -> bool:
    """End one of an account's sessions; False when it has none of that name.

    Raises:
        AccountUnknown, StoreUnavailable: As for `sessions_of`.
    """
    for one in await sessions_of(auth, account_id, now):
        if one.short_id == short_id:
            await _end(auth, one.id)
            return True
    return False


async def end_all(auth: Auth, account_id: str, now: datetime, *, but: str | None = None) -> int:
    """End all of an account's sessions, but one if it is named; returns how many were seen.

    Raises:
        AccountUnknown, StoreUnavailable: As for `sessions_of`.
    """
    stored = await _stored(auth, account_id)
    standing = await auth.sessions.of_account(stored, now)
    changed = await accounts.change(auth.accounts, stored.key, _next_epoch)
    if but is not None:
        await auth.sessions.keep(but, changed.epoch)
        auth.live.forget(but)
    ended = [one for one in standing if one.id != but]
    for one in ended:
        await _end(auth, one.id)
    return len(ended)


async def end_by_token(auth: Auth, token: str) -> bool:
    """End the session of an access or refresh token; False when it belongs to none.

    Raises:
        StoreUnavailable: A bucket does not answer.
    """
    found = await auth.sessions.end_by_token(token)
    if found is not None:
        auth.live.forget(found.id)
        return True
    try:
        identity = await auth.tokens.verify(token)
    except BadToken:
        return False
    await _end(auth, identity.session_id)
    return True


async def _end(auth: Auth, session_id: str) -> None:
    await auth.sessions.end(session_id)
    auth.live.forget(session_id)


async def _stored(auth: Auth, account_id: str) -> StoredAccount:
    stored = await accounts.find_by_id(auth.accounts, account_id)
    if stored is None:
        raise accounts.AccountUnknown("there is no account with this id")
    return stored


def _next_epoch(account: Account) -> Account:
    return account.model_copy(update={"epoch": account.epoch + 1})
