"""Sign-ins on their way: one use, few tries, an end."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from services.leads.auth.mfa.sign_ins import MAX_TRIES, SignInOver, SignIns
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Note(BaseModel):
    text: str


def sign_ins(bucket: MemoryBucket | None = None, kind: str = "test") -> SignIns[Note]:
    return SignIns(bucket or MemoryBucket(), kind, Note)


async def test_it_can_be_taken_once() -> None:
    of = sign_ins()
    name = await of.begin(Note(text="a"), NOW)
    assert (await of.take(name, NOW)).text == "a"
    with pytest.raises(SignInOver):
        await of.take(name, NOW)


async def test_of_many_at_once_one_gets_it() -> None:
    of = sign_ins()
    name = await of.begin(Note(text="a"), NOW)
    results = await asyncio.gather(*(of.take(name, NOW) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, Note) for one in results) == 1
    assert sum(isinstance(one, SignInOver) for one in results) == 4


async def test_many_tries_at_once_are_not_more_than_allowed() -> None:
    of = sign_ins()
    name = await of.begin(Note(text="a"), NOW)
    results = await asyncio.gather(
        *(of.attempt(name, NOW) for _ in range(MAX_TRIES + 4)), return_exceptions=True
    )
    assert sum(not isinstance(one, SignInOver) for one in results) == MAX_TRIES
    with pytest.raises(SignInOver):
        await of.finish(name, NOW)


async def test_it_ends_and_its_name_is_not_in_the_bucket() -> None:
    bucket = MemoryBucket()
    of = sign_ins(bucket)
    name = await of.begin(Note(text="a"), NOW)
    assert not any(name in key for key in bucket.entries)
    assert (await of.look(name, NOW + timedelta(seconds=599))).state.text == "a"
    for call in (of.look, of.attempt, of.take, of.finish):
        with pytest.raises(SignInOver):
            await call(name, NOW + timedelta(minutes=10))


async def test_kinds_do_not_mix_and_no_name_is_too_odd() -> None:
    bucket = MemoryBucket()
    name = await sign_ins(bucket, "one").begin(Note(text="a"), NOW)
    for wrong in (name, "", "*", "\ud800", "a.b", "x" * 500):
        with pytest.raises(SignInOver):
            await sign_ins(bucket, "two").look(wrong, NOW)


async def test_it_is_finished_once() -> None:
    of = sign_ins()
    name = await of.begin(Note(text="a"), NOW)
    await of.attempt(name, NOW)
    await of.finish(name, NOW)
    with pytest.raises(SignInOver):
        await of.finish(name, NOW)
