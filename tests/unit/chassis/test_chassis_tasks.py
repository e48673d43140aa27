import asyncio

import pytest

from libs.chassis.tasks import end, still_wanted


async def loses_a_cancellation(rounds: list[int], *, looks: bool) -> None:
    """A loop as it behaves when ``asyncio.wait_for`` loses the cancellation of one round."""
    while True:
        if looks:
            still_wanted()
        rounds.append(len(rounds))
        try:
            await asyncio.sleep(0.01 if looks else 3600)
        except asyncio.CancelledError:
            if len(rounds) > 1:
                raise


async def test_a_loop_that_looks_notices_a_lost_cancellation() -> None:
    rounds: list[int] = []
    task = asyncio.create_task(loses_a_cancellation(rounds, looks=True))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert rounds == [0]


async def test_a_task_that_lost_a_cancellation_is_ended_all_the_same() -> None:
    rounds: list[int] = []
    task = asyncio.create_task(loses_a_cancellation(rounds, looks=False))
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), 5)
    assert task.cancelled()
    assert rounds == [0, 1]


async def test_a_timeout_around_a_loop_is_no_cancellation_afterwards() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(3600)
    still_wanted()
