"""What only a real server can show: lost answers, restarts, poison, dead letters."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any
from uuid import uuid4

import nats.errors
import pytest
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import NotFoundError

from libs.events import (
    Conflict,
    ConsumeOptions,
    Part,
    RecordedEvent,
    StoreUnavailable,
    new_id,
)
from libs.events.dead_letters import DeadLetters
from libs.events.jetstream import JetStreamEventStore
from tests.integration.events.support import (
    ids,
    new,
    reached_out,
    read_until_caught_up,
    until,
)
from tests.support.nats import NatsServer

QUICK = ConsumeOptions(
    backoff_base_seconds=0.01, backoff_cap_seconds=0.05, max_attempts=3, ack_wait_seconds=2
)


@pytest.fixture
def store(js: JetStreamContext) -> JetStreamEventStore:
    return JetStreamEventStore(js)


def lose_answers(js: JetStreamContext, monkeypatch: pytest.MonkeyPatch, count: int) -> list[int]:
    """Let publishes reach the server, but lose the first answers."""
    real, lost = js.publish, [0]

    async def publish(*args: Any, **kwargs: Any) -> PubAck:
        ack = await real(*args, **kwargs)
        if lost[0] < count:
            lost[0] += 1
            raise nats.errors.TimeoutError
        return ack

    monkeypatch.setattr(js, "publish", publish)
    return lost


@pytest.mark.parametrize("events", [1, 3])
async def test_a_lost_answer_is_not_a_conflict_and_writes_once(
    store: JetStreamEventStore, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch, events: int
) -> None:
    lost = lose_answers(js, monkeypatch, 1)
    lead, written = new_id(), [reached_out(str(n)) for n in range(events)]
    appended = await store.append(lead, Part.HANDLING, written, expected=0)
    assert lost == [1]
    assert appended.duplicate
    assert ids((await store.load(lead)).events) == [event.id for event in written]


async def test_a_lost_answer_before_somebody_elses_write_is_still_ours(
    store: JetStreamEventStore, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, ours = new_id(), reached_out("ours")
    lose_answers(js, monkeypatch, 1)
    first = asyncio.create_task(store.append(lead, Part.HANDLING, [ours], expected=0))
    appended = await first
    await store.append(lead, Part.HANDLING, [reached_out()], expected=appended.position)
    again = await store.append(lead, Part.HANDLING, [ours], expected=0)
    assert again.position == appended.position
    with pytest.raises(Conflict):
        await store.append(lead, Part.HANDLING, [reached_out("late")], expected=0)


async def test_a_server_that_is_away_is_said_to_be_unavailable_and_nothing_is_sent_later(
    js: JetStreamContext,
    nats_server: NatsServer,
) -> None:
    store = JetStreamEventStore(js, deadline_seconds=1.0)
    lead = new_id()
    await nats_server.kill()
    await until(lambda: not js._nc.is_connected)
    with pytest.raises(StoreUnavailable) as caught:
        await store.append(lead, Part.SUBMISSION, [new()], expected=0)
    assert not caught.value.ambiguous
    await nats_server.start()
    await until(lambda: js._nc.is_connected)
    await store.append(new_id(), Part.SUBMISSION, [new()], expected=0)
    assert not (await store.load(lead)).found


async def test_an_append_waits_for_a_server_that_comes_back(
    store: JetStreamEventStore, nats_server: NatsServer
) -> None:
    lead, event = new_id(), new()
    await nats_server.kill()
    appending = asyncio.create_task(store.append(lead, Part.SUBMISSION, [event], expected=0))
    await nats_server.start()
    await appending
    assert ids((await store.load(lead)).events) == [event.id]


async def poison(js: JetStreamContext, subject: str) -> int:
    ack = await js.publish(subject, b"\x00no event", headers={"ce-type": "LeadSubmitted"})
    return ack.seq


async def test_poison_and_unknown_types_never_stop_a_catch_up(
    store: JetStreamEventStore, js: JetStreamContext
) -> None:
    first, last = new(), new()
    await store.append(new_id(), Part.SUBMISSION, [first], expected=0)
    broken = await poison(js, f"leads.{new_id()}.submission")
    wild = await poison(js, "leads.*.submission")
    newer = {"ce-type": "LeadTeleported", "ce-dataschema": "urn:leadlog:event:LeadTeleported:1"}
    newer |= {"ce-id": str(uuid4()), "ce-time": "2026-01-01T00:00:00+00:00"}
    await js.publish(f"leads.{new_id()}.handling", b"{}", headers=newer)
    await store.append(new_id(), Part.SUBMISSION, [last], expected=0)

    for _ in range(2):  # a second reader buries nothing twice
        events, position = await read_until_caught_up(store)
        assert ids(events) == [first.id, last.id]
        assert position == await store.last_position()

    assert store.skipped == {"undecodable": 4, "unknown": 2}
    dead = (await js.stream_info("DEAD_LETTERS", subjects_filter=">")).state
    assert dead.subjects == {f"dead.projection.{broken}": 1, f"dead.projection.{wild}": 1}
    letter = json.loads((await js.get_last_msg("DEAD_LETTERS", "dead.>")).data or b"")
    assert base64.b64decode(letter["data_base64"]) == b"\x00no event"
    assert letter["subject"] == "leads.*.submission"


async def test_an_unread_message_still_counts_for_expectations(
    store: JetStreamEventStore, js: JetStreamContext
) -> None:
    lead = new_id()
    position = await poison(js, f"leads.{lead}.handling")
    history = await store.load(lead)
    assert history.events == ()
    assert history.found
    await store.append(lead, Part.HANDLING, [reached_out()], expected=history.last(Part.HANDLING))
    assert history.last(Part.HANDLING) == position


async def test_a_catch_up_survives_a_killed_server_without_gap_or_repeat(
    store: JetStreamEventStore, nats_server: NatsServer
) -> None:
    read: list[RecordedEvent] = []
    written = []
    async with asyncio.timeout(60), aclosing(store.catch_up(after=0, batch_size=7)) as batches:
        for round_number in range(3):
            for _ in range(20):
                event = new()
                await store.append(new_id(), Part.SUBMISSION, [event], expected=0)
                written.append(event.id)
            if round_number < 2:
                read += (await anext(batches)).events
                await nats_server.kill()
                await nats_server.start()
        while len(read) < len(written):
            read += (await anext(batches)).events
    assert ids(read) == written


async def test_a_catch_up_whose_consumer_is_taken_away_starts_another(
    store: JetStreamEventStore, js: JetStreamContext
) -> None:
    async with asyncio.timeout(30), aclosing(store.catch_up(after=0)) as batches:
        assert (await anext(batches)).caught_up
        [consumer] = await js.consumers_info("LEADS")
        await js.delete_consumer("LEADS", consumer.name)
        event = new()
        await store.append(new_id(), Part.SUBMISSION, [event], expected=0)
        while not (batch := await anext(batches)).events:
            pass
    assert ids(batch.events) == [event.id]


@pytest.fixture
async def running() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_always_fails_becomes_one_dead_letter_and_is_not_delivered_again(
    store: JetStreamEventStore, js: JetStreamContext, running: list[asyncio.Task[None]]
) -> None:
    bad, good = new(), new()
    appended = await store.append(new_id(), Part.SUBMISSION, [bad], expected=0)
    await store.append(new_id(), Part.SUBMISSION, [good], expected=0)
    attempts: list[int] = []

    async def handler(event: RecordedEvent, attempt: int) -> None:
        if event.id == bad.id:
            attempts.append(attempt)
            raise RuntimeError("ada@example.com")

    running.append(
        asyncio.create_task(store.consume("worker", {Part.SUBMISSION}, handler, options=QUICK))
    )
    await until(lambda: len(attempts) == 3)
    await until(lambda: settled(js))
    assert attempts == [1, 2, 3]
    dead = await js.get_last_msg("DEAD_LETTERS", f"dead.worker.{appended.position}")
    letter = json.loads(dead.data or b"")
    assert letter["headers"]["ce-id"] == str(bad.id)
    assert letter["reason"] == "RuntimeError after 3 failures"


async def settled(js: JetStreamContext) -> bool:
    try:
        info = await js.consumer_info("LEADS", "worker")
    except NotFoundError:
        return False  # it is not there yet
    return (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_poison_never_stops_a_consumer(
    store: JetStreamEventStore, js: JetStreamContext, running: list[asyncio.Task[None]]
) -> None:
    broken = await poison(js, f"leads.{new_id()}.submission")
    event, handled = new(), asyncio.Event()
    await store.append(new_id(), Part.SUBMISSION, [event], expected=0)

    async def handler(_event: RecordedEvent, _attempt: int) -> None:
        handled.set()

    running.append(asyncio.create_task(store.consume("worker", {Part.SUBMISSION}, handler)))
    await asyncio.wait_for(handled.wait(), 20)
    await until(lambda: settled(js))
    assert (await js.get_last_msg("DEAD_LETTERS", f"dead.worker.{broken}")).data


async def test_what_only_a_newer_worker_can_do_waits_for_one(
    store: JetStreamEventStore, js: JetStreamContext, running: list[asyncio.Task[None]]
) -> None:
    newer = {"ce-type": "LeadTeleported", "ce-dataschema": "urn:leadlog:event:LeadTeleported:1"}
    newer |= {"ce-id": str(uuid4()), "ce-time": "2026-01-01T00:00:00+00:00"}
    await js.publish(f"leads.{new_id()}.submission", b"{}", headers=newer)
    handled = asyncio.Event()
    await store.append(new_id(), Part.SUBMISSION, [new()], expected=0)

    async def handler(_event: RecordedEvent, _attempt: int) -> None:
        handled.set()

    running.append(asyncio.create_task(store.consume("worker", {Part.SUBMISSION}, handler)))
    await asyncio.wait_for(handled.wait(), 20)

    async def one_is_kept() -> bool:
        info = await js.consumer_info("LEADS", "worker")
        return (info.num_pending, info.num_ack_pending) == (0, 1)

    await until(one_is_kept)
    assert store.skipped == {"unknown": 1}


async def test_a_slow_handler_keeps_its_message(
    store: JetStreamEventStore, running: list[asyncio.Task[None]]
) -> None:
    await store.append(new_id(), Part.SUBMISSION, [new()], expected=0)
    options = ConsumeOptions(ack_wait_seconds=0.6)
    attempts: list[int] = []
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    async def handler(_event: RecordedEvent, attempt: int) -> None:
        attempts.append(attempt)
        end = loop.time() + 2.5  # four times as long as the server waits without a sign of life
        await until(lambda: loop.time() > end)
        done.set()

    for _ in range(2):
        consume = store.consume("worker", {Part.SUBMISSION}, handler, options=options)
        running.append(asyncio.create_task(consume))
    await asyncio.wait_for(done.wait(), 20)
    assert attempts == [1]


async def test_a_stopped_worker_gives_back_at_once_what_it_had_not_begun(
    store: JetStreamEventStore,
) -> None:
    for _ in range(6):
        await store.append(new_id(), Part.SUBMISSION, [new()], expected=0)
    begun: list[int] = []
    four, finish = asyncio.Event(), asyncio.Event()

    async def slow(event: RecordedEvent, _attempt: int) -> None:
        begun.append(event.position)
        if len(begun) == 4:
            four.set()
        await finish.wait()

    # An ack_wait that no test waits for: what comes to the next worker was given back.
    options = ConsumeOptions(concurrency=4, ack_wait_seconds=600, drain_seconds=20)
    first = asyncio.create_task(store.consume("worker", {Part.SUBMISSION}, slow, options=options))
    await four.wait()

    async def all_delivered() -> bool:
        info = await store._js.consumer_info("LEADS", "worker")
        return bool(info.num_pending == 0)

    await until(all_delivered)
    assert len(begun) == 4
    first.cancel()
    rest: list[int] = []

    async def quick(event: RecordedEvent, _attempt: int) -> None:
        rest.append(event.position)

    second = asyncio.create_task(store.consume("worker", {Part.SUBMISSION}, quick, options=options))
    await until(lambda: len(rest) == 2)
    finish.set()
    for task in (first, second):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert len(begun) == 4
    assert sorted(begun + rest) == [1, 2, 3, 4, 5, 6]


async def test_a_consumer_survives_a_killed_server(
    store: JetStreamEventStore, nats_server: NatsServer, running: list[asyncio.Task[None]]
) -> None:
    handled = set()

    async def handler(event: RecordedEvent, _attempt: int) -> None:
        handled.add(event.id)

    running.append(
        asyncio.create_task(store.consume("worker", {Part.SUBMISSION}, handler, options=QUICK))
    )
    for _ in range(2):
        event = new()
        await store.append(new_id(), Part.SUBMISSION, [event], expected=0)
        await until(lambda wanted=event.id: wanted in handled, 30)  # type: ignore[misc]
        await nats_server.kill()
        await nats_server.start()


async def test_a_dead_letter_is_kept_once(store: JetStreamEventStore, js: JetStreamContext) -> None:
    lead = new_id()
    await store.append(lead, Part.SUBMISSION, [new()], expected=0)
    [event] = (await store.load(lead)).events
    dead_letters = DeadLetters(js)
    for _ in range(2):
        await dead_letters.put("notifier", event, "refused", key="prospect")
        await dead_letters.put("notifier", event, "refused", key="attorney")
    assert (await js.stream_info("DEAD_LETTERS")).state.messages == 2
    with pytest.raises(ValueError, match="token"):
        await dead_letters.put("notifier", event, "refused", key=f"*{uuid4()}")
