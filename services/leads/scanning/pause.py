"""Not asking a clamd that is away over and over again."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog

_FIRST: Final = 0.5
_LONGEST: Final = 15.0

log = structlog.get_logger(__name__)


class Pause:
    """What all scans of one process know about clamd being away; times in seconds.

    Args:
        clock: a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seconds = 0.0
        self._until = 0.0

    @property
    def is_away(self) -> bool:
        """Whether clamd did not answer when it was last asked."""
        return self._seconds > 0

    @property
    def left(self) -> float:
        """How long it is not asked yet."""
        return max(0.0, self._until - self._clock())

    async def over(self) -> None:
        """Wait until it may be asked."""
        while self.left:  # noqa: ASYNC110 - what is waited for is the clock
            await asyncio.sleep(self.left)

    def begin(self, reason: str) -> float:
        """Note that it did not answer; said in the log once. How long it is not asked now."""
        if not self.is_away:
            log.warning("clamd is away: resumes wait to be scanned", reason=reason)
        if not self.left:  # several scans at once that fail together are one failure
            self._seconds = min(_LONGEST, self._seconds * 2 or _FIRST)
            self._until = self._clock() + self._seconds
        return self.left

    def end(self) -> None:
        """Note that it has answered."""
        if self.is_away:
            log.info("clamd is back")
        self._seconds = self._until = 0.0
