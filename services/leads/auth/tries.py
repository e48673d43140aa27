"""Compare-and-set, again from the newest state, but not without end."""

import asyncio
import random
from typing import Final

from libs.chassis.errors import StoreUnavailable

MOST: Final = 20
"""Among that many writers of one entry the last one still gets through."""
_PAUSE_SECONDS: Final = 0.01


class Tries:
    """Counts how often somebody else was faster."""

    def __init__(self) -> None:
        self._lost = 0

    async def again(self) -> None:
        """Wait a random moment, a longer one each time, so that those who collide drift apart.

        Raises:
            StoreUnavailable: It was tried often enough; nothing was written.
        """
        self._lost += 1
        if self._lost >= MOST:
            raise StoreUnavailable("too many change the same entry at once")
        await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * self._lost))  # noqa: S311 - no secret
