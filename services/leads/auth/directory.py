"""Names of accounts by id, kept for a minute so that a list of leads costs no look-ups."""

import asyncio
import re
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import structlog

from libs.chassis.errors import StoreUnavailable
from services.leads.auth.accounts import Bucket, find_by_id

_KEPT_SECONDS: Final = 60.0
_LOOK_UP_SECONDS: Final = 1.0
_REMEMBERED: Final = 10_000
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")

log = structlog.get_logger(__name__)


class AccountDirectory:
    """Looks up account names.

    Args:
        bucket: ACCOUNTS.
        clock: Seconds that only go forward.
    """

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = monotonic) -> None:
        self._bucket = bucket
        self._clock = clock
        self._names: dict[str, tuple[str | None, float]] = {}

    async def names(self, account_ids: Iterable[str | None]) -> dict[str, str | None]:
        """Return the name of each account; None for one that is gone or cannot be looked up."""
        wanted = {one for one in account_ids if one and _ID.fullmatch(one)}
        now = self._clock()
        stale = [one for one in wanted if self._names.get(one, (None, 0.0))[1] <= now]
        if len(self._names) > _REMEMBERED:
            self._names.clear()
            stale = list(wanted)
        await asyncio.gather(*(self._look_up(one, now) for one in stale))
        return {one: self._names.get(one, (None, 0.0))[0] for one in wanted}

    async def _look_up(self, account_id: str, now: float) -> None:
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                found = await find_by_id(self._bucket, account_id)
        except (StoreUnavailable, TimeoutError):  # a list without names is better than no list
            log.warning("account names cannot be looked up now", account_id=account_id)
            return
        name = found.account.name if found else None
        self._names[account_id] = (name, now + _KEPT_SECONDS)
