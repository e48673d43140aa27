"""How long to wait before the next try (pure)."""

import random


def full_jitter(attempt: int, base: float, cap: float, draw: float | None = None) -> float:
    """Seconds to wait after the n-th failed attempt: anywhere up to ``base * 2**(n-1)``.

    Full jitter spreads retries best
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        attempt: the attempt that has failed, from 1.
        base: the longest first wait, seconds.
        cap: the longest wait of all, seconds.
        draw: a number from 0 to 1 in place of a random one.
    """
    longest: float = min(cap, base * 2.0 ** min(attempt - 1, 60))
    return longest * (random.random() if draw is None else draw)  # noqa: S311 - jitter
