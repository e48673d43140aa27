"""The event store in memory: the same contract, for tests of what is built on it."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from uuid import UUID

from libs.events.backoff import full_jitter
from libs.events.envelope import NewEvent, RecordedEvent, record
from libs.events.jetstream import check_append
from libs.events.store import (
    DEFAULT_OPTIONS,
    Appended,
    Batch,
    Conflict,
    ConsumeOptions,
    Handler,
    History,
    RetryLater,
)
from libs.events.subjects import Part


class MemoryEventStore:
    """``libs.events.store.EventStore`` in one process, for one event loop.

    Attributes:
        dead_letters: what consumers gave up: (consumer, event, reason).
    """

    def __init__(self) -> None:
        self._events: list[RecordedEvent] = []
        self._grown = asyncio.Condition()
        self._attempts: dict[tuple[str, int], int] = {}
        self._failures: dict[tuple[str, int], int] = {}
        self._taken: dict[str, set[int]] = {}
        self.dead_letters: list[tuple[str, RecordedEvent, str]] = []

    async def append(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        """See ``EventStore.append``."""
        check_append(part, events)
        async with self._grown:
            own = self._own(lead_id, part, events[0].id)
            if own is not None:
                return Appended(own.position + len(events) - 1, duplicate=True, recorded=own)
            if self._history(lead_id).last(part) != expected:
                raise Conflict
            for event in events:
                self._events.append(record(event, lead_id, len(self._events) + 1))
            self._grown.notify_all()
            return Appended(len(self._events))

    def _own(self, lead_id: UUID, part: Part, event_id: UUID) -> RecordedEvent | None:
        events = self._history(lead_id).events
        return next((e for e in events if e.part is part and e.id == event_id), None)

    def _history(self, lead_id: UUID) -> History:
        events = tuple(event for event in self._events if event.lead_id == lead_id)
        return History(events, {event.part: event.position for event in events})

    async def load(self, lead_id: UUID) -> History:
        """See ``EventStore.load``."""
        return self._history(lead_id)

    async def last_position(self) -> int:
        """See ``EventStore.last_position``."""
        return len(self._events)

    async def catch_up(
        self, *, after: int, parts: Collection[Part] | None = None, batch_size: int = 1000
    ) -> AsyncGenerator[Batch, None]:
        """See ``EventStore.catch_up``."""
        position = after
        while True:
            chunk = self._events[position : position + batch_size]
            position += len(chunk)
            events = tuple(event for event in chunk if not parts or event.part in parts)
            caught_up = position >= len(self._events)
            if events or caught_up:
                yield Batch(events, position, caught_up=caught_up)
            async with self._grown:
                while position >= len(self._events):
                    await self._grown.wait()

    async def consume(
        self,
        name: str,
        parts: Collection[Part],
        handler: Handler,
        *,
        options: ConsumeOptions = DEFAULT_OPTIONS,
    ) -> None:
        """See ``EventStore.consume``."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                event = await self._take(name, parts)
                task = asyncio.create_task(self._attempt(name, event, handler, options))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                if len(tasks) >= options.concurrency:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if tasks:
                await asyncio.wait(tasks, timeout=options.drain_seconds)
            rest = list(tasks)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    async def _take(self, name: str, parts: Collection[Part]) -> RecordedEvent:
        taken = self._taken.setdefault(name, set())
        while True:
            async with self._grown:
                for event in self._events:
                    if event.part in parts and event.position not in taken:
                        taken.add(event.position)
                        return event
                await self._grown.wait()

    async def _attempt(
        self, name: str, event: RecordedEvent, handler: Handler, options: ConsumeOptions
    ) -> None:
        key = (name, event.position)
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        try:
            await handler(event, attempt)
        except RetryLater as later:
            await self._give_back(name, event, later.delay_seconds)
        except asyncio.CancelledError:
            await self._give_back(name, event, 0)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failure
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            if failures >= options.max_attempts:
                self.dead_letters.append((name, event, type(error).__name__))
                return
            cap = options.backoff_cap_seconds
            await self._give_back(
                name, event, full_jitter(failures, options.backoff_base_seconds, cap)
            )

    async def _give_back(self, name: str, event: RecordedEvent, delay: float) -> None:
        await asyncio.sleep(delay)
        async with self._grown:
            self._taken[name].discard(event.position)
            self._grown.notify_all()
