import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID, uuid4

from libs.events import (
    Channel,
    EventStore,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    RecordedEvent,
    ResumeRef,
)

RESUME = ResumeRef(
    object="o", file_name="cv.pdf", media_type="application/pdf", size=3, sha256="00" * 32
)
SUBMITTED = LeadSubmitted(
    first_name="Ada", last_name="Lovelace", email="ada@example.com", resume=RESUME
)


def new(event: LeadSubmitted | LeadReachedOut = SUBMITTED, *, id: UUID | None = None) -> NewEvent:  # noqa: A002
    return NewEvent(
        event=event,
        id=id or uuid4(),
        time=datetime.now(UTC),
        source="/leadlog/test",
        actor="prospect",
    )


def reached_out(note: str = "called") -> NewEvent:
    return new(LeadReachedOut(channel=Channel.PHONE, note=note))


async def read_until_caught_up(
    store: EventStore, *, after: int = 0, batch_size: int = 1000
) -> tuple[list[RecordedEvent], int]:
    events: list[RecordedEvent] = []
    stream = store.catch_up(after=after, batch_size=batch_size)
    async with asyncio.timeout(20), aclosing(stream) as batches:
        async for batch in batches:
            events += batch.events
            if batch.caught_up:
                return events, batch.position
    raise AssertionError("a catch-up subscription never ends")


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until a condition holds; fail when it does not within some seconds."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if isinstance(held, Awaitable):
                held = await held
            if held:
                return
            await asyncio.sleep(0.01)


def ids(events: Sequence[RecordedEvent]) -> list[UUID]:
    return [event.id for event in events]
