"""Names of accounts and API keys, kept for a minute so that a list of leads costs no look-ups."""

import asyncio
import re
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import structlog

from libs.chassis.errors import StoreUnavailable
from services.leads.auth.accounts import Bucket, find_by_id
from services.leads.auth.api_keys import find as find_key

_KEPT_SECONDS: Final = 60.0
_LOOK_UP_SECONDS: Final = 1.0
_REMEMBERED: Final = 10_000
_ID: Final = re.compile(r"(?:api-key:)?[0-9A-Za-z-]{1,64}")
_API_KEY: Final = "api-key:"

log = structlog.get_logger(__name__)


class AccountDirectory:
    """Looks up names, of accounts by their id and of API keys by `api-key:<id>`.

    Args:
        bucket: ACCOUNTS.
        clock: Seconds that only go forward.
        api_keys: API_KEYS; without it keys have no names.
    """

    def __init__(
        self,
        bucket: Bucket,
        clock: Callable[[], float] = monotonic,
        *,
        api_keys: Bucket | None = None,
    ) -> None:
        self._api_keys = api_keys
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
                name = await self._name(account_id)
        except (StoreUnavailable, TimeoutError):  # a list without names is better than no list
            log.warning("account names cannot be looked up now", account_id=account_id)
            return
        self._names[account_id] = (name, now + _KEPT_SECONDS)

    async def _name(self, known_as: str) -> str | None:
        if not known_as.startswith(_API_KEY):
            stored = await find_by_id(self._bucket, known_as)
            return stored.account.name if stored else None
        if self._api_keys is None:
            return None
        key = await find_key(self._api_keys, known_as.removeprefix(_API_KEY))
        return key.name if key else None
