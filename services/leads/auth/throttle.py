"""Slows down who guesses passwords: a growing pause per account, never a lock."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

FREE_FAILURES: Final = 5
LONGEST_PAUSE: Final = 60.0
"""Seconds. Short, so that an account is free again soon after somebody stops to fail on purpose.
While they go on, its owner waits too: telling the two apart needs more than the account's name."""
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    free_at: float


class Throttle:
    """Counts failures per account key, in this process, for a bounded number of accounts.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def pause_left(self, key: str) -> int:
        """Return for how many whole seconds no attempt is allowed; 0 means go ahead."""
        failures = self._failures.get(key)
        return max(0, ceil(failures.free_at - self._clock())) if failures else 0

    def failed(self, key: str) -> None:
        """Count a failure; from the sixth on each doubles the pause."""
        before = self._failures.pop(key, None)
        count = before.count + 1 if before else 1
        over = count - FREE_FAILURES
        pause = min(LONGEST_PAUSE, 2.0 ** min(over, 10)) if over > 0 else 0.0
        self._failures[key] = _Failures(count, self._clock() + pause)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def spare(self, key: str) -> None:
        """Take back a failure that turned out not to be one."""
        before = self._failures.pop(key, None)
        if before is not None and before.count > 1:
            count = before.count - 1
            free = count <= FREE_FAILURES
            self._failures[key] = _Failures(count, self._clock() if free else before.free_at)

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)
