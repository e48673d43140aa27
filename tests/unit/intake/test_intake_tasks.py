"""Work that outlives the request that asked for it."""

import asyncio

import pytest

from services.intake.tasks import Tasks


async def test_the_work_goes_on_when_the_waiter_is_cancelled() -> None:
    tasks, gate, done = Tasks(), asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append(True)

    waiter = asyncio.create_task(tasks.finish(work()))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    gate.set()
    assert await tasks.drain(5) == 0
    assert done == [True]


async def test_an_error_reaches_the_waiter() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await Tasks().finish(work())


async def test_draining_is_bounded() -> None:
    tasks = Tasks()
    waiter = asyncio.create_task(tasks.finish(asyncio.Event().wait()))
    await asyncio.sleep(0)
    assert await tasks.drain(0.01) == 1
    with pytest.raises(asyncio.CancelledError):
        await waiter
