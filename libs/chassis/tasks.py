"""Ending tasks for certain.

Up to Python 3.11 ``asyncio.wait_for``, which nats-py and aiosmtplib use throughout, loses a
cancellation that arrives in the moment its inner wait ends
(https://github.com/python/cpython/issues/86296). A loop that was cancelled then goes on for
ever, and whoever waits for its end does too.
"""

import asyncio
from typing import Any, Final

_AGAIN_SECONDS: Final = 0.5


def still_wanted() -> None:
    """Begin each round of an endless loop with this.

    Raises:
        CancelledError: somebody has cancelled this task, and it was lost.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def end(task: asyncio.Future[Any]) -> None:
    """Cancel a task that has nothing to finish, and wait until it has ended."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN_SECONDS)
