"""Work that goes on to its end although the request that asked for it was cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks:
    """Tasks under way, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for some work; cancelling the waiter does not cancel the work."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def drain(self, seconds: float) -> int:
        """Wait for what is under way; how many were not done in that time."""
        if not self._under_way:
            return 0
        _, late = await asyncio.wait(self._under_way, timeout=seconds)
        for task in late:
            task.cancel()
        return len(late)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # taken note of, for when nobody waits any more
