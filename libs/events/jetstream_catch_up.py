"""A catch-up subscription: every event from a position on, in order, without a gap.

A pull consumer that lives in memory and needs no acknowledgement: the reader keeps its own
position. Each message carries the consumer's own running number; when one is missing, or
the consumer is gone, a new consumer (under a new name) starts after the last good position.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.tasks import still_wanted
from libs.events.dead_letters import DeadLetters
from libs.events.envelope import RecordedEvent, Undecodable, decode
from libs.events.jetstream_pull import Pull, Pulled, Refused
from libs.events.store import Batch
from libs.events.subjects import STREAM, STREAM_SUBJECT, Part
from libs.events.upcast import UnknownEvent

Skip = Callable[[str, int, str], None]

_IDLE_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.25
_INACTIVE_SECONDS: Final = 60.0
_CHECK_EVERY: Final = 5
"""After so many idle fetches in a row the consumer is asked whether it still exists."""

_log = structlog.get_logger(__name__)


class _Gap(Exception):
    """A message is missing, or the consumer is: start again after the last position."""


@dataclass(slots=True)
class _Consumer:
    name: str
    pull: Pull
    pending: int
    delivered: int = 0


async def catch_up(
    js: JetStreamContext,
    dead_letters: DeadLetters,
    skip: Skip,
    *,
    after: int,
    parts: Collection[Part] | None,
    batch_size: int,
) -> AsyncGenerator[Batch, None]:
    """See ``EventStore.catch_up``."""
    reader = _Reader(js, dead_letters, skip, parts, after, batch_size)
    while True:
        still_wanted()
        try:
            consumer = await reader.open()
        except (APIError, nats.errors.Error, TimeoutError) as error:
            _log.warning("catch-up waits for JetStream", reason=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS * 2)
            continue
        try:
            if consumer.pending == 0:
                yield Batch((), reader.position, caught_up=True)
            async for batch in reader.batches(consumer):
                yield batch
        except _Gap as gap:
            _log.warning("catch-up starts a new consumer", after=reader.position, reason=str(gap))
            await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            await reader.close(consumer)


class _Reader:
    def __init__(
        self,
        js: JetStreamContext,
        dead_letters: DeadLetters,
        skip: Skip,
        parts: Collection[Part] | None,
        after: int,
        batch_size: int,
    ) -> None:
        self._js = js
        self._dead_letters = dead_letters
        self._skip = skip
        unwanted = set(Part) - set(parts or Part)
        self._passed_over = tuple(f".{part.value}" for part in unwanted)
        self._batch_size = batch_size
        self.position = after

    async def open(self) -> _Consumer:
        name = f"catchup-{uuid4().hex}"
        config = ConsumerConfig(
            name=name,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.position + 1,
            ack_policy=AckPolicy.NONE,
            # Every part, also when some are wanted only: the position moves on with each message.
            filter_subject=STREAM_SUBJECT,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=_INACTIVE_SECONDS,
        )
        info = await self._js.add_consumer(STREAM, config)
        subject = f"{self._js._prefix}.CONSUMER.MSG.NEXT.{STREAM}.{name}"  # noqa: SLF001 - nats-py has no public way
        client = self._js._nc  # noqa: SLF001 - as above
        pull = Pull(client, subject, batch=self._batch_size, expires=_IDLE_SECONDS)
        await pull.open()
        return _Consumer(name, pull, info.num_pending or 0)

    async def close(self, consumer: _Consumer) -> None:
        try:
            await consumer.pull.close()
            await self._js.delete_consumer(STREAM, consumer.name)
        except (APIError, nats.errors.Error, TimeoutError):
            return  # it is gone, or the server forgets it after its inactive threshold

    async def batches(self, consumer: _Consumer) -> AsyncGenerator[Batch, None]:
        idle = 0
        while True:
            still_wanted()
            messages = await self._fetch(consumer)
            if messages:
                idle = 0
                yield await self._batch(consumer, messages)
                continue
            idle += 1
            if idle % _CHECK_EVERY == 0:
                consumer.pending = await self._pending(consumer)
            if consumer.pending == 0:
                yield Batch((), self.position, caught_up=True)

    async def _fetch(self, consumer: _Consumer) -> list[Pulled]:
        try:
            return await consumer.pull.next()
        except (Refused, nats.errors.Error) as error:
            raise _Gap(f"{type(error).__name__} {error}") from None

    async def _pending(self, consumer: _Consumer) -> int:
        """Messages the server has not delivered yet; also proves the consumer alive."""
        try:
            info = await self._js.consumer_info(STREAM, consumer.name)
        except (APIError, nats.errors.Error, TimeoutError) as error:
            raise _Gap(type(error).__name__) from None
        if info.delivered is not None and info.delivered.consumer_seq != consumer.delivered:
            raise _Gap("the server delivered what did not arrive")
        return info.num_pending or 0

    async def _batch(self, consumer: _Consumer, messages: list[Pulled]) -> Batch:
        """What of the messages is good; the fetch after a bad one meets the gap it leaves.

        The position moves on with a message only once it was read or buried.
        """
        events, taken = [], 0
        for message in messages:
            if message.number != consumer.delivered + 1:
                break
            try:
                recorded = await self._read(message)
            except StoreUnavailable:
                break
            taken += 1
            consumer.delivered += 1
            consumer.pending = message.pending
            self.position = message.position
            if recorded is not None:
                events.append(recorded)
        if not taken:
            raise _Gap("a message is missing, or a dead letter could not be written")
        return Batch(tuple(events), self.position, caught_up=consumer.pending == 0)

    async def _read(self, message: Pulled) -> RecordedEvent | None:
        if message.subject.endswith(self._passed_over):
            return None
        headers, position = message.headers, message.position
        try:
            return decode(message.subject, headers, message.payload, position)
        except UnknownEvent as unknown:
            self._skip("unknown", position, str(unknown))
        except Undecodable as broken:
            self._skip("undecodable", position, str(broken))
            await self._dead_letters.put_raw(
                "projection", message.subject, position, headers, message.payload, str(broken)
            )
        return None
