"""One behaviour suite, on the store in memory and on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from uuid import UUID

import pytest
from nats.js import JetStreamContext

from libs.events import (
    Conflict,
    ConsumeOptions,
    EventStore,
    Handler,
    Part,
    RecordedEvent,
    RetryLater,
    new_id,
)
from libs.events.jetstream import JetStreamEventStore
from libs.events.memory import MemoryEventStore
from tests.integration.events.support import (
    SUBMITTED,
    ids,
    new,
    reached_out,
    read_until_caught_up,
    until,
)

QUICK = ConsumeOptions(
    backoff_base_seconds=0.01, backoff_cap_seconds=0.05, max_attempts=3, ack_wait_seconds=3
)


@pytest.fixture(params=["memory", "jetstream"])
def store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "memory":
        return MemoryEventStore()
    js: JetStreamContext = request.getfixturevalue("js")
    return JetStreamEventStore(js)


async def test_an_unknown_lead_has_an_empty_history(store: EventStore) -> None:
    history = await store.load(new_id())
    assert not history.found
    assert history.events == ()
    assert history.last(Part.SUBMISSION) == 0
    assert await store.last_position() == 0


async def test_appended_events_are_loaded_in_order_and_whole(store: EventStore) -> None:
    lead, first, second = new_id(), new(), reached_out("ü \N{SNOWMAN}\nsecond line")
    at = await store.append(lead, Part.SUBMISSION, [first], expected=0)
    await store.append(new_id(), Part.SUBMISSION, [new()], expected=0)
    then = await store.append(lead, Part.HANDLING, [second], expected=0)

    history = await store.load(lead)

    assert [(e.event, e.id, e.time, e.part, e.position) for e in history.events] == [
        (first.event, first.id, first.time, Part.SUBMISSION, at.position),
        (second.event, second.id, second.time, Part.HANDLING, then.position),
    ]
    assert not at.duplicate
    assert history.last(Part.SUBMISSION) == at.position
    assert history.last(Part.HANDLING) == then.position
    assert history.last(Part.MAIL) == 0
    assert await store.last_position() == then.position


async def test_several_events_are_written_together(store: EventStore) -> None:
    lead, events = new_id(), [reached_out(str(n)) for n in range(5)]
    appended = await store.append(lead, Part.HANDLING, events, expected=0)
    history = await store.load(lead)
    assert ids(history.events) == [event.id for event in events]
    assert appended.position == history.last(Part.HANDLING)


async def test_a_stale_expectation_is_a_conflict_and_writes_nothing(store: EventStore) -> None:
    lead = new_id()
    await store.append(lead, Part.HANDLING, [reached_out()], expected=0)
    for late in ([reached_out()], [reached_out(), reached_out()]):
        with pytest.raises(Conflict):
            await store.append(lead, Part.HANDLING, late, expected=0)
    assert len((await store.load(lead)).events) == 1


async def test_an_expectation_on_one_part_ignores_the_others(store: EventStore) -> None:
    lead = new_id()
    first = await store.append(lead, Part.HANDLING, [reached_out()], expected=0)
    await store.append(lead, Part.SUBMISSION, [new()], expected=0)
    await store.append(lead, Part.HANDLING, [reached_out()], expected=first.position)
    assert len((await store.load(lead)).events) == 3


@pytest.mark.parametrize("count", [1, 3])
async def test_a_repeated_append_finds_its_own_events(store: EventStore, count: int) -> None:
    lead, events = new_id(), [reached_out(str(n)) for n in range(count)]
    first = await store.append(lead, Part.HANDLING, events, expected=0)
    again = await store.append(lead, Part.HANDLING, events, expected=0)
    later = await store.append(lead, Part.HANDLING, [reached_out()], expected=first.position)
    long_after = await store.append(lead, Part.HANDLING, events, expected=0)

    assert again.duplicate
    assert again.position == long_after.position == first.position < later.position
    assert again.recorded is not None
    assert again.recorded.id == events[0].id
    assert len((await store.load(lead)).events) == count + 1


async def test_of_many_writers_at_once_one_wins(store: EventStore) -> None:
    lead = new_id()

    async def write() -> bool:
        try:
            await store.append(lead, Part.HANDLING, [reached_out()], expected=0)
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(write() for _ in range(30)))) == 1
    assert len((await store.load(lead)).events) == 1


async def test_an_append_of_nothing_or_of_another_part_is_refused(store: EventStore) -> None:
    for events in ([], [new(SUBMITTED)]):
        with pytest.raises(ValueError, match=r"event"):
            await store.append(new_id(), Part.HANDLING, events, expected=0)


async def test_a_long_history_is_loaded_whole(store: EventStore) -> None:
    lead, position = new_id(), 0
    for n in range(30):
        events = [reached_out(f"{n}.{i}") for i in range(20)]
        position = (await store.append(lead, Part.HANDLING, events, expected=position)).position
    notes = [e.event.model_dump()["note"] for e in (await store.load(lead)).events]
    assert notes == [f"{n}.{i}" for n in range(30) for i in range(20)]


async def append_many(store: EventStore, count: int) -> list[UUID]:
    events = [new() for _ in range(count)]
    for event in events:
        await store.append(new_id(), Part.SUBMISSION, [event], expected=0)
    return [event.id for event in events]


async def test_catching_up_reads_everything_in_order(store: EventStore) -> None:
    written = await append_many(store, 250)
    events, position = await read_until_caught_up(store, batch_size=100)
    assert ids(events) == written
    assert [event.position for event in events] == sorted(event.position for event in events)
    assert position == await store.last_position()


async def test_catching_up_goes_on_after_a_position(store: EventStore) -> None:
    written = await append_many(store, 10)
    events, _ = await read_until_caught_up(store)
    rest, _ = await read_until_caught_up(store, after=events[6].position)
    assert ids(rest) == written[7:]
    nothing, position = await read_until_caught_up(store, after=events[-1].position)
    assert nothing == []
    assert position == events[-1].position


async def test_an_empty_log_is_caught_up_at_once(store: EventStore) -> None:
    assert await read_until_caught_up(store) == ([], 0)


async def test_new_events_arrive_while_subscribed(store: EventStore) -> None:
    async with asyncio.timeout(20), aclosing(store.catch_up(after=0)) as batches:
        assert (await anext(batches)).caught_up
        written = await append_many(store, 1)
        while not (batch := await anext(batches)).events:
            assert batch.position == 0
        assert ids(batch.events) == written


async def test_only_the_parts_asked_for_arrive(store: EventStore) -> None:
    lead = new_id()
    await store.append(lead, Part.SUBMISSION, [new()], expected=0)
    await store.append(lead, Part.HANDLING, [reached_out()], expected=0)
    async with asyncio.timeout(20), aclosing(store.catch_up(after=0, parts={Part.HANDLING})) as s:
        async for batch in s:
            if batch.events:
                break
    assert [event.part for event in batch.events] == [Part.HANDLING]


async def test_the_position_moves_over_parts_that_are_not_asked_for(store: EventStore) -> None:
    lead = new_id()
    await store.append(lead, Part.HANDLING, [reached_out()], expected=0)
    await store.append(lead, Part.SUBMISSION, [new()], expected=0)
    async with asyncio.timeout(20), aclosing(store.catch_up(after=0, parts={Part.HANDLING})) as s:
        async for batch in s:
            if batch.caught_up and batch.position:
                break
    assert batch.position == await store.last_position() == 2


class Consumers:
    """Runs consumers in the background and stops them at the end."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, handler: Handler, options: ConsumeOptions = QUICK) -> asyncio.Task[None]:
        run = self.store.consume("worker", {Part.SUBMISSION}, handler, options=options)
        self.tasks.append(asyncio.create_task(run))
        return self.tasks[-1]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def consumers(store: EventStore) -> AsyncIterator[Consumers]:
    running = Consumers(store)
    yield running
    await running.stop()


async def test_each_event_is_handled_once_by_one_of_the_workers(
    store: EventStore, consumers: Consumers
) -> None:
    written = await append_many(store, 60)
    handled: list[UUID] = []

    async def handler(event: RecordedEvent, attempt: int) -> None:
        assert attempt == 1
        handled.append(event.id)

    consumers.start(handler)
    consumers.start(handler)
    written += await append_many(store, 60)
    await until(lambda: len(handled) >= 120)
    assert sorted(handled) == sorted(written)


async def test_a_failing_event_comes_again_and_holds_nothing_up(
    store: EventStore, consumers: Consumers
) -> None:
    bad, *good = await append_many(store, 5)
    attempts: list[int] = []
    handled: list[UUID] = []

    async def handler(event: RecordedEvent, attempt: int) -> None:
        if event.id == bad and attempt < 3:
            attempts.append(attempt)
            raise RuntimeError("not yet")
        handled.append(event.id)

    consumers.start(handler)
    await until(lambda: len(handled) == 5)
    assert attempts == [1, 2]
    assert set(handled) == {bad, *good}


async def test_retry_later_is_never_given_up(store: EventStore, consumers: Consumers) -> None:
    [event_id] = await append_many(store, 1)
    attempts: list[int] = []

    async def handler(event: RecordedEvent, attempt: int) -> None:
        assert event.id == event_id
        attempts.append(attempt)
        if attempt < 8:
            raise RetryLater(0.01, "the mail server is away")

    consumers.start(handler)
    await until(lambda: attempts == list(range(1, 9)))


async def test_deferrals_do_not_use_up_the_attempts(
    store: EventStore, consumers: Consumers
) -> None:
    await append_many(store, 1)
    attempts: list[int] = []

    async def handler(_event: RecordedEvent, attempt: int) -> None:
        attempts.append(attempt)
        if attempt <= QUICK.max_attempts + 1:
            raise RetryLater(0.01, "the mail server is away")
        if attempt == QUICK.max_attempts + 2:
            raise RuntimeError("the first real failure")

    consumers.start(handler)
    await until(lambda: len(attempts) == QUICK.max_attempts + 3)


async def test_a_stop_lets_handlers_finish(store: EventStore, consumers: Consumers) -> None:
    await append_many(store, 1)
    started, finish, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_event: RecordedEvent, _attempt: int) -> None:
        started.set()
        await finish.wait()
        finished.set()

    task = consumers.start(handler)
    await started.wait()
    task.cancel()
    finish.set()
    with suppress(asyncio.CancelledError):
        await task
    assert finished.is_set()


async def test_what_a_stopped_worker_held_goes_to_the_next(
    store: EventStore, consumers: Consumers
) -> None:
    [event_id] = await append_many(store, 1)
    started, handled = asyncio.Event(), asyncio.Event()

    async def stuck(_event: RecordedEvent, _attempt: int) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handler(event: RecordedEvent, _attempt: int) -> None:
        assert event.id == event_id
        handled.set()

    task = consumers.start(stuck, ConsumeOptions(drain_seconds=0.01))
    await started.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    consumers.start(handler)
    await asyncio.wait_for(handled.wait(), 20)
