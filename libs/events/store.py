"""What an event store does: the contract that every implementation keeps."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from libs.events.envelope import NewEvent, RecordedEvent
from libs.events.subjects import Part

Handler = Callable[[RecordedEvent, int], Awaitable[None]]
"""Takes an event and the number of this attempt, from 1."""


class Conflict(Exception):
    """Somebody else wrote to the part first: load it again and decide again."""


class RetryLater(Exception):
    """A handler's way to say: not now, again in ``delay_seconds``; never a dead letter."""

    def __init__(self, delay_seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.delay_seconds = delay_seconds
        self.reason = reason


@dataclass(frozen=True, slots=True)
class History:
    """One lead's events, in the log's order.

    ``lasts`` also counts messages that could not be read, so that an expectation made
    from it is right whatever a newer version has written.
    """

    events: tuple[RecordedEvent, ...]
    lasts: dict[Part, int]

    def last(self, part: Part) -> int:
        """The position of the part's last message; 0 when there is none."""
        return self.lasts.get(part, 0)

    @property
    def found(self) -> bool:
        """Whether the log knows this lead at all."""
        return bool(self.lasts)


@dataclass(frozen=True, slots=True)
class Appended:
    """An append's outcome.

    Attributes:
        position: the stream sequence of the last event of the append.
        duplicate: it had been written before; nothing was added now.
        recorded: what the log holds under our first event's id, when ``duplicate``.
    """

    position: int
    duplicate: bool = False
    recorded: RecordedEvent | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A step of a catch-up subscription.

    Attributes:
        events: what could be read, in order; may be empty.
        position: the position to keep with the batch's effect.
        caught_up: at this moment nothing newer was in the log.
    """

    events: tuple[RecordedEvent, ...]
    position: int
    caught_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeOptions:
    """How a durable consumer works; times in seconds.

    Attributes:
        concurrency: handlers at work at once in this process.
        ack_wait_seconds: without a sign of life for this long, a message goes to another
            worker; handlers give signs three times in that span.
        max_attempts: a message whose handler has failed this often in one worker becomes a
            dead letter; a deferral by ``RetryLater`` is no failure.
        drain_seconds: how long handlers may go on after a stop was asked for.
        backoff_base_seconds: the first retry comes within this time, each next within
            double (full jitter).
        backoff_cap_seconds: the longest wait between retries.
    """

    concurrency: int = 64
    ack_wait_seconds: float = 30.0
    max_attempts: int = 8
    drain_seconds: float = 10.0
    backoff_base_seconds: float = 1.0
    backoff_cap_seconds: float = 60.0


DEFAULT_OPTIONS = ConsumeOptions()


class EventStore(Protocol):
    """The event log of all leads."""

    async def append(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        """Write events to one part, all or none, if its last position is ``expected``.

        Safe to repeat with the same events and expectation, also after a lost answer.

        Raises:
            Conflict: the part has moved on, and not by these events.
            StoreUnavailable: not written, or (``ambiguous``) perhaps written.
            ValueError: no events, or events of another part.
        """
        ...

    async def load(self, lead_id: UUID) -> History:
        """One lead's whole history, in one round trip.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        ...

    async def last_position(self) -> int:
        """The position of the newest message of the whole log; 0 when it is empty.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        ...

    def catch_up(
        self, *, after: int, parts: Collection[Part] | None = None, batch_size: int = 1000
    ) -> AsyncGenerator[Batch, None]:
        """Every event after a position, in order, and then each new one, without end.

        With ``parts``, events of others are passed over unread; positions count them all.
        """
        ...

    async def consume(
        self,
        name: str,
        parts: Collection[Part],
        handler: Handler,
        *,
        options: ConsumeOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Work through the events as one of many workers that share the name.

        Each event is handled at least once. A handler that raises ``RetryLater`` gets the
        event again after that delay; any other error gets it again with backoff, and as a
        dead letter in the end. Runs until it is cancelled.
        """
        ...
