"""Whether a login still stands and what its account may do: looked up every few seconds.

An access token says who, never what is allowed: so a demotion, a deactivation or the end of a
session works within seconds and not when the token ends (OWASP ASVS 5.0, 7.4.1 and 7.4.2).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Final

from libs.chassis.errors import StoreUnavailable
from services.leads.auth import principal
from services.leads.auth.accounts import Bucket, find
from services.leads.auth.mfa.policy import AuthPolicy, Policies, allowed
from services.leads.auth.principal import Principal
from services.leads.auth.sessions import Sessions
from services.leads.auth.tokens import Identity

KEPT_SECONDS: Final = 3.0
STALE_SECONDS: Final = 60.0
"""While the bucket is away, an answer so old is still used: leads are read from a local file."""
_LOOK_UP_SECONDS: Final = 2.0
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal | None
    seen_at: float
    ask_again_at: float


class LiveSessions:
    """Turns the identity in a token into the principal of this moment.

    Args:
        sessions: The logins.
        accounts: The bucket ACCOUNTS.
        clock: Seconds that only go forward.
        policies: Which roles must have a second factor; None asks for none.
    """

    def __init__(
        self,
        sessions: Sessions,
        accounts: Bucket,
        clock: Callable[[], float] = monotonic,
        *,
        policies: Policies | None = None,
    ) -> None:
        self._policies = policies
        self._sessions = sessions
        self._accounts = accounts
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._forgotten = 0

    async def principal(self, identity: Identity, now: datetime) -> Principal | None:
        """Return the principal, or None when the login is over.

        Raises:
            StoreUnavailable: It is not known here and the bucket does not answer.
        """
        known = self._known.get(identity.session_id)
        if known is None or known.ask_again_at <= self._clock():
            known = await self._refreshed(identity, known, now)
        found = known.principal
        return found if found is not None and found.account_id == identity.account_id else None

    def forget(self, session_id: str) -> None:
        """Look again at the next request: this replica knows that something has changed."""
        self._known.pop(session_id, None)
        self._forgotten += 1

    async def _refreshed(self, identity: Identity, before: _Known | None, now: datetime) -> _Known:
        asked_at, forgotten = self._clock(), self._forgotten
        usable = before is not None and asked_at - before.seen_at < STALE_SECONDS
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS if usable else None):
                found = await self._look_up(identity.session_id, now)
        except (StoreUnavailable, TimeoutError):
            if before is None or not usable:
                raise
            known = _Known(before.principal, before.seen_at, self._clock() + KEPT_SECONDS)
        else:
            known = _Known(found, asked_at, asked_at + KEPT_SECONDS)
        if forgotten != self._forgotten:
            return known  # it may have been read before what was forgotten changed
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[identity.session_id] = known
        return known

    async def _look_up(self, session_id: str, now: datetime) -> Principal | None:
        found = await self._sessions.find(session_id)
        if found is None or found.session.expires_at <= now:
            return None
        stored = await find(self._accounts, found.session.account_key)
        if stored is None or not stored.account.active:
            return None
        if stored.account.epoch != found.session.account_epoch:
            return None
        full = principal.of_session(stored.account, session_id, frozenset(found.session.methods))
        policy = await self._policies.current() if self._policies else AuthPolicy()
        may = allowed(full.permissions, full.role, full.authenticated_with, policy)
        return replace(full, permissions=may)
