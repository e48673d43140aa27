"""Work that goes on after its request was answered, and is finished before the service ends."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)


class Background:
    """A few tasks, each of which is waited for in the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Start the work; a failure is logged under `what`."""
        task = asyncio.create_task(self._run(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until everything is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - nobody waits for it: the log must hear of it
            log.warning("work after the answer failed", what=what, reason=type(error).__name__)


BACKGROUND: Final = web.AppKey("background", Background)


async def background_ctx(app: web.Application) -> AsyncIterator[None]:
    """Open it; whatever is registered before this closes after the last task has ended."""
    app[BACKGROUND] = Background()
    yield
    await app[BACKGROUND].finish()
