"""How many challenges somebody who is not signed in may have: each one is written to disk."""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Final

from libs.chassis.forwarded import network_of

PER_MINUTE: Final = 60
"""Of one address, at one replica: an office behind one address signs in within that."""
_SECONDS: Final = 60.0
_REMEMBERED: Final = 10_000


class TooManyChallenges(Exception):
    """Wait.

    Attributes:
        seconds: How long.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Allowance:
    """Counts by address, in this process, for a bounded number of addresses.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count one.

        Raises:
            TooManyChallenges: The address had its share of this minute.
        """
        now, place = self._clock(), network_of(address)
        count, until = self._counts.pop(place, (0, 0.0))
        if until <= now:
            count, until = 0, now + _SECONDS
        self._counts[place] = (min(count + 1, PER_MINUTE + 1), until)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        if count >= PER_MINUTE:
            raise TooManyChallenges(max(1, ceil(until - now)))
