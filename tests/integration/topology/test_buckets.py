import asyncio
from typing import Any

import nats.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js import JetStreamContext
from nats.js.api import PubAck

from libs.chassis.buckets import Bucket, KeyExists, WrongRevision, key_subject


@pytest.fixture
def bucket(js: JetStreamContext) -> Bucket:
    return Bucket(js, "SETTINGS")


async def test_what_is_put_is_got_until_it_is_deleted(bucket: Bucket) -> None:
    assert await bucket.get("a") is None
    first = await bucket.put("a", b"1")
    second = await bucket.put("a", b"")
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"", second)
    assert first < second
    await bucket.delete("a")
    assert await bucket.get("a") is None


async def test_a_key_is_created_once_and_again_after_it_was_deleted(bucket: Bucket) -> None:
    await bucket.create("a", b"1")
    with pytest.raises(KeyExists):
        await bucket.create("a", b"2")
    await bucket.delete("a")
    await bucket.create("a", b"3")
    entry = await bucket.get("a")
    assert entry is not None
    assert entry.value == b"3"


async def test_of_many_creators_at_once_one_wins(bucket: Bucket) -> None:
    async def create(n: int) -> bool:
        try:
            await bucket.create("a", str(n).encode())
        except KeyExists:
            return False
        return True

    assert sum(await asyncio.gather(*(create(n) for n in range(20)))) == 1


async def test_an_update_needs_the_newest_revision(bucket: Bucket) -> None:
    first = await bucket.create("a", b"1")
    second = await bucket.update("a", b"2", first)
    with pytest.raises(WrongRevision):
        await bucket.update("a", b"3", first)
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"2", second)


async def test_a_lost_answer_is_neither_a_conflict_nor_a_second_write(
    bucket: Bucket, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = js.publish
    lost: list[int] = []

    async def publish(*args: Any, **kwargs: Any) -> PubAck:
        ack = await real(*args, **kwargs)
        if not lost:
            lost.append(ack.seq)
            raise nats.errors.TimeoutError
        return ack

    monkeypatch.setattr(js, "publish", publish)
    assert await bucket.create("a", b"1") == 1
    lost.clear()
    assert await bucket.update("a", b"2", 1) == 2
    lost.clear()
    assert await bucket.put("a", b"3") == 3
    assert (await js.stream_info("KV_SETTINGS")).state.last_seq == 3


async def test_keys_are_those_that_hold_a_value(bucket: Bucket) -> None:
    for key in ("a", "b.c", "d"):
        await bucket.put(key, b"1")
    await bucket.delete("a")
    assert await bucket.keys() == ["b.c", "d"]


@given(st.text())
def test_no_key_becomes_a_wildcard_or_leaves_its_bucket(key: str) -> None:
    try:
        subject = key_subject("X", key)
    except ValueError:
        return
    assert subject == f"$KV.X.{key}"
    assert not set(key) & set("*> \r\n")
