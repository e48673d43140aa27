import asyncio
from dataclasses import replace
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import PubAck

from libs.chassis.errors import StoreUnavailable
from libs.chassis.group_commit import WORTH_A_BATCH, GroupCommit
from libs.chassis.jetstream import WrongSequence
from tests.support.nats import NatsServer

STREAM = "KV_SETTINGS"
MANY = 10 * WORTH_A_BATCH


def subject(number: int) -> str:
    return f"$KV.SETTINGS.{number}"


def headers(number: int) -> dict[str, str]:
    return {"Nats-Msg-Id": f"id-{number}", "Nats-Expected-Last-Subject-Sequence": "0"}


async def publish(group: GroupCommit, number: int) -> PubAck:
    return await group.publish(subject(number), b"%d" % number, headers(number))


async def stored(js: JetStreamContext) -> dict[int, tuple[str, dict[str, str]]]:
    """Every message of the stream by its position: its payload and its headers."""
    info = await js.stream_info(STREAM)
    found = {}
    for position in range(1, info.state.last_seq + 1):
        message = await js.get_msg(STREAM, seq=position)
        found[position] = ((message.data or b"").decode(), message.headers or {})
    return found


async def test_many_at_once_go_together_and_each_learns_its_own_position(
    js: JetStreamContext,
) -> None:
    group = GroupCommit(js)
    acks = await asyncio.gather(*(publish(group, number) for number in range(MANY)))
    messages = await stored(js)
    assert len(messages) == MANY
    for number, ack in enumerate(acks):
        assert messages[ack.seq][0] == str(number)
    assert sum("Nats-Batch-Id" in found for _, found in messages.values()) > MANY / 2


async def test_few_go_alone(js: JetStreamContext) -> None:
    group = GroupCommit(js)
    await asyncio.gather(*(publish(group, number) for number in range(WORTH_A_BATCH)))
    assert all("Nats-Batch-Id" not in found for _, found in (await stored(js)).values())


async def test_one_that_is_refused_does_not_touch_the_others(js: JetStreamContext) -> None:
    await js.publish(subject(40), b"somebody else's")
    group = GroupCommit(js)
    results = await asyncio.gather(
        *(publish(group, number) for number in range(MANY)), return_exceptions=True
    )
    assert isinstance(results[40], WrongSequence)
    others = [result for number, result in enumerate(results) if number != 40]
    assert all(isinstance(result, PubAck) for result in others)
    assert len(await stored(js)) == MANY


async def test_a_message_that_is_there_already_is_acknowledged_as_a_duplicate(
    js: JetStreamContext,
) -> None:
    first = await js.publish(subject(0), b"0", headers={"Nats-Msg-Id": "id-50"})
    group = GroupCommit(js)

    async def without_expectation(number: int) -> PubAck:
        return await group.publish(subject(number), b"x", {"Nats-Msg-Id": f"id-{number}"})

    acks = await asyncio.gather(*(without_expectation(number) for number in range(MANY)))
    assert acks[50].duplicate
    assert acks[50].seq == first.seq
    assert len({ack.seq for ack in acks}) == MANY


async def test_a_stream_without_atomic_batches_is_written_one_by_one(
    js: JetStreamContext,
) -> None:
    info = await js.stream_info(STREAM)
    await js.update_stream(replace(info.config, allow_atomic=False))
    group = GroupCommit(js)
    acks = await asyncio.gather(*(publish(group, number) for number in range(MANY)))
    messages = await stored(js)
    assert [messages[ack.seq][0] for ack in acks] == [str(number) for number in range(MANY)]
    assert all("Nats-Batch-Id" not in found for _, found in messages.values())


@pytest.mark.parametrize("moment", range(6))
async def test_callers_that_leave_take_nobody_with_them(js: JetStreamContext, moment: int) -> None:
    group = GroupCommit(js)
    tasks = [asyncio.create_task(publish(group, number)) for number in range(MANY)]
    for _ in range(moment):
        await asyncio.sleep(0)
    leaving = tasks[::2]
    for task in leaving:
        task.cancel()
    acks = await asyncio.gather(*tasks[1::2])
    assert len({ack.seq for ack in acks}) == MANY / 2
    # No place was lost: as many as before go at once, and alone.
    again = range(MANY, MANY + WORTH_A_BATCH)
    later = await asyncio.gather(*(publish(group, number) for number in again))
    messages = await stored(js)
    assert all("Nats-Batch-Id" not in messages[ack.seq][1] for ack in later)


async def test_a_server_killed_under_load_loses_and_repeats_nothing(
    nats_server: NatsServer, js: JetStreamContext
) -> None:
    group = GroupCommit(js)
    acknowledged: dict[int, int] = {}
    under_way = asyncio.Event()

    async def persistently(number: int) -> None:
        ack = await group.publish(subject(number), b"%d" % number, {"Nats-Msg-Id": f"{number}"})
        acknowledged[number] = ack.seq
        if len(acknowledged) == 2 * WORTH_A_BATCH:
            under_way.set()

    tasks = [asyncio.create_task(persistently(number)) for number in range(30 * WORTH_A_BATCH)]
    await under_way.wait()
    await nats_server.restart()
    await asyncio.gather(*tasks)
    messages = await stored(js)
    assert {number: int(messages[at][0]) for number, at in acknowledged.items()} == {
        number: number for number in range(30 * WORTH_A_BATCH)
    }
    assert len(messages) == 30 * WORTH_A_BATCH


async def test_after_a_batch_without_an_answer_nobody_is_told_that_nothing_was_written(
    js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = GroupCommit(js)
    real = js.publish

    async def silent(subject: str, payload: bytes, **more: Any) -> PubAck:
        ack = await real(subject, payload, **more)
        if "Nats-Batch-Commit" not in (more["headers"] or {}):
            return ack
        monkeypatch.setattr(type(js._nc), "is_connected", False)  # from now on nothing goes out
        raise TimeoutError

    monkeypatch.setattr(js, "publish", silent)
    results = await asyncio.gather(
        *(
            group.publish(subject(number), b"x", headers(number), deadline=0.2)
            for number in range(2 * WORTH_A_BATCH)
        ),
        return_exceptions=True,
    )
    monkeypatch.undo()
    failed = [result for result in results if isinstance(result, StoreUnavailable)]
    assert len(failed) == WORTH_A_BATCH
    assert all(failure.ambiguous for failure in failed)


async def test_an_acknowledgement_that_is_no_batchs_is_not_believed(
    js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server that takes the batch's headers for any others."""
    group = GroupCommit(js)
    real = js.publish

    async def without_batches(subject: str, payload: bytes, **more: Any) -> PubAck:
        ack = await real(subject, payload, **more)
        return PubAck(stream=ack.stream, seq=ack.seq)

    monkeypatch.setattr(js, "publish", without_batches)
    results = await asyncio.gather(
        *(publish(group, number) for number in range(MANY)), return_exceptions=True
    )
    monkeypatch.undo()
    messages = await stored(js)
    for number, result in enumerate(results):
        # Those of the batch went again alone, and met themselves there.
        if isinstance(result, PubAck):
            assert messages[result.seq][0] == str(number)
        else:
            assert isinstance(result, WrongSequence)
    assert {payload for payload, _ in messages.values()} == {str(n) for n in range(MANY)}
