"""Which API key a request comes with: looked up every few seconds, as sessions are."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

import structlog

from libs.chassis.errors import StoreUnavailable
from services.leads.auth import api_keys, key_text
from services.leads.auth.accounts import Bucket
from services.leads.auth.api_keys import ApiKey
from services.leads.auth.permissions import Role
from services.leads.auth.principal import Principal

KEPT_SECONDS: Final = 3.0
STALE_SECONDS: Final = 60.0
"""While the bucket is away, an answer so old is still used: leads are read from a local file."""
NOTED_SECONDS: Final = 60.0
"""A use is written at most so often, by each replica."""
_LOOK_UP_SECONDS: Final = 2.0
_REMEMBERED: Final = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    key: ApiKey | None
    seen_at: float
    ask_again_at: float


class LiveKeys:
    """Turns the text of an API key into the principal of this moment.

    Args:
        bucket: API_KEYS.
        clock: Seconds that only go forward.
    """

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = monotonic) -> None:
        self._bucket = bucket
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._forgotten = 0
        self._noted: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def principal(self, text: str, now: datetime) -> Principal | None:
        """Return who the key stands for; None when it is none, is over, or was never given out.

        Raises:
            StoreUnavailable: It is not known here and the bucket does not answer.
        """
        shown = key_text.read(text)
        if shown is None:
            return None
        key = await self._look_up(shown.key_id)
        if key is None or not shown.fits(key.secret_hash) or not key.is_good(now):
            return None
        self._note(key.id, now)
        return Principal(
            account_id=key.account_id,
            role=Role.VIEWER,  # a key has no role: its scopes say what it may do
            permissions=key.scopes & api_keys.GRANTABLE,
            assigned_only=key.assigned_only,
            session_id=None,
            key_id=key.id,
            authenticated_with=frozenset(),
        )

    def forget(self, key_id: str) -> None:
        """Look again at the next request: this replica knows that something has changed."""
        self._known.pop(key_id, None)
        self._forgotten += 1

    async def settle(self) -> None:
        """Wait until the uses that are being noted are written."""
        while self._noting:
            await asyncio.wait(self._noting)

    async def _look_up(self, key_id: str) -> ApiKey | None:
        known, asked_at = self._known.get(key_id), self._clock()
        forgotten = self._forgotten
        if known is not None and asked_at < known.ask_again_at:
            return known.key
        usable = known is not None and asked_at - known.seen_at < STALE_SECONDS
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS if usable else None):
                key = await api_keys.find(self._bucket, key_id)
        except (StoreUnavailable, TimeoutError):
            if known is None or not usable:
                raise
            key, seen_at = known.key, known.seen_at
        else:
            seen_at = asked_at
        if forgotten != self._forgotten:
            return key  # it may have been read before what was forgotten changed
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key_id] = _Known(key, seen_at, self._clock() + KEPT_SECONDS)
        return key

    def _note(self, key_id: str, now: datetime) -> None:
        """Write the use beside the request, which neither waits for it nor fails with it."""
        if self._clock() - self._noted.get(key_id, float("-inf")) < NOTED_SECONDS:
            return
        self._noted[key_id] = self._clock()
        task = asyncio.create_task(self._write(key_id, now))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write(self, key_id: str, now: datetime) -> None:
        try:
            await api_keys.note_use(self._bucket, key_id, now)
        except StoreUnavailable:
            log.info("the use of an API key could not be noted", key_id=key_id)
            self._noted.pop(key_id, None)
