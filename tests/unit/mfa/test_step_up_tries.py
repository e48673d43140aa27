"""How often a login may try to prove itself again."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.leads.auth.mfa.step_up import MAX_TRIES, StepUpTries, TooManyTries
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SESSION = "01a20e80.abc"


async def test_five_tries_in_ten_minutes_however_many_at_once() -> None:
    tries = StepUpTries(MemoryBucket())
    results = await asyncio.gather(
        *(tries.count(SESSION, NOW) for _ in range(MAX_TRIES + 3)), return_exceptions=True
    )
    assert sum(one is None for one in results) == MAX_TRIES
    with pytest.raises(TooManyTries) as refused:
        await tries.count(SESSION, NOW + timedelta(minutes=9))
    assert refused.value.seconds == 60
    await tries.count(SESSION, NOW + timedelta(minutes=10))


async def test_another_login_and_a_proof_that_worked_start_at_none() -> None:
    tries = StepUpTries(MemoryBucket())
    for _ in range(MAX_TRIES):
        await tries.count(SESSION, NOW)
    await tries.count("another.one", NOW)
    await tries.forget(SESSION)
    await tries.count(SESSION, NOW)
