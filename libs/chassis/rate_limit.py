"""How often somebody may do something [pure: the time comes in].

The generic cell rate algorithm (ITU-T I.371): one number for each key, the time at which it
would be even again. Memory is bounded: beyond ``capacity`` keys, whoever was seen longest ago
is forgotten, and so gets a fresh start.
"""

from collections import OrderedDict


class RateLimiter:
    """Lets ``burst`` through at once, and then one for each ``seconds``."""

    def __init__(self, *, seconds: float, burst: int, capacity: int = 20_000) -> None:
        """Make a limiter that has seen nobody.

        Args:
            seconds: between two, in the long run.
            burst: how many may come at once; 1 or more.
            capacity: keys to remember; about 200 bytes each.
        """
        self._seconds, self._slack, self._capacity = seconds, seconds * (burst - 1), capacity
        self._even_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one for ``key``; 0 when it was granted, else the seconds until it would be.

        A refusal costs nothing: who goes on trying is let in as soon as who waits.
        """
        even_at = max(self._even_at.get(key, now), now)
        wait = even_at - self._slack - now
        if wait > 0:
            return wait
        self._even_at[key] = even_at + self._seconds
        self._even_at.move_to_end(key)
        if len(self._even_at) > self._capacity:
            self._even_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._even_at)
