"""Under load, many messages of one stream share one fsync (docs/adr/0011).

A server with ``sync_interval: always`` syncs each message by itself, some 0.3 ms that nobody
else can use. An atomic batch (ADR-50 of the NATS architecture notes) is synced as a whole,
before it is acknowledged, but costs some 2.5 ms of its own. So a message goes out alone while
few others do, and what arrives meanwhile goes together once it is many.

A batch is only a quicker way to the same end: when it is refused, because of one message's
expectation or id, or is not answered, each of its messages goes alone.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import uuid4

import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.jetstream import (
    ATTEMPT_SECONDS,
    DEADLINE_SECONDS,
    NoBatch,
    check_batch,
    publish,
)

WORTH_A_BATCH: Final = 12
"""So many messages take about as long one by one as together (measured, docs/performance.md)."""
_MOST: Final = 128
_MOST_BYTES: Final = 2 * 1024 * 1024
_LARGE: Final = 64 * 1024
"""Bytes from which on writing is the work and not syncing; a batch writes everything twice."""
_NOT_ALLOWED: Final = 10174
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A message, and what becomes of it: its acknowledgement, or None if it must go alone."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    done: asyncio.Future[PubAck | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    since: float = field(default_factory=monotonic)
    alone: bool = False
    ambiguous: bool = False


class GroupCommit:
    """Publishes to one stream, as ``libs.chassis.jetstream.publish`` does, but together.

    Messages of at most 64 KiB only; the order among messages under way at once is not kept.
    A stream that does not allow atomic batches is noticed, and then each message goes alone.
    """

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context to its client
        self._waiting: deque[_Waiting] = deque()
        self._alone = 0
        self._batch: asyncio.Task[None] | None = None
        self._allowed = True

    async def publish(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str],
        *,
        deadline: float = DEADLINE_SECONDS,
    ) -> PubAck:
        """Publish one message until it is acknowledged.

        Raises:
            as ``libs.chassis.jetstream.publish``.
        """
        if not self._allowed or len(payload) > _LARGE:
            return await publish(self._js, subject, payload, headers, deadline=deadline)
        if self._alone < WORTH_A_BATCH and not self._waiting and self._batch is None:
            self._alone += 1
            return await self._publish_alone(subject, payload, headers, deadline)
        one = _Waiting(subject, payload, headers)
        self._waiting.append(one)
        try:
            ack = await one.done
        except asyncio.CancelledError:
            if one.alone:  # cancelled in the moment in which it was let go
                self._alone -= 1
                self._go_on()
            raise
        if ack is not None:
            return ack
        left = max(ATTEMPT_SECONDS, deadline - (monotonic() - one.since))
        try:
            return await self._publish_alone(subject, payload, headers, left)
        except StoreUnavailable as error:
            ambiguous = error.ambiguous or one.ambiguous
            raise StoreUnavailable(str(error), ambiguous=ambiguous) from error

    async def _publish_alone(
        self, subject: str, payload: bytes, headers: Mapping[str, str], deadline: float
    ) -> PubAck:
        """Publish a message that ``_alone`` counts already."""
        try:
            return await publish(self._js, subject, payload, headers, deadline=deadline)
        finally:
            self._alone -= 1
            self._go_on()

    def _go_on(self) -> None:
        """Let those who wait go, as far as that is wise."""
        if self._batch is not None:
            return
        many = len(self._waiting) >= WORTH_A_BATCH and self._alone < WORTH_A_BATCH
        if many and self._allowed and self._client.is_connected:
            self._batch = asyncio.create_task(self._together(self._take()))
            return
        while self._waiting and self._alone < WORTH_A_BATCH:
            self._let_go_alone(self._waiting.popleft())

    def _let_go_alone(self, one: _Waiting) -> None:
        if not one.done.done():  # else its caller was cancelled and does not wait any more
            self._alone += 1
            one.alone = True
            one.done.set_result(None)

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < _MOST and size < _MOST_BYTES:
            one = self._waiting.popleft()
            if not one.done.done():
                group.append(one)
                size += len(one.payload)
        return group

    async def _together(self, group: list[_Waiting]) -> None:
        """One attempt; whoever is not acknowledged by it goes alone."""
        first = None
        try:
            ack = await self._send(group)
            first = ack.seq - len(group) + 1
        except TimeoutError:
            _may_be_written(group)
        except NoBatch:
            self._allowed = False
            _may_be_written(group)
            _log.warning("no group commit: this nats-server is older than 2.12")
        except APIError as error:
            if error.err_code == _NOT_ALLOWED:
                self._allowed = False
                _log.info("no group commit: the stream does not allow atomic batches")
        except nats.errors.Error:
            pass  # nobody was there to take it, or the connection is closed
        finally:
            self._batch = None
            for number, one in enumerate(group):
                if first is None:
                    self._let_go_alone(one)
                elif not one.done.done():
                    one.done.set_result(PubAck(stream=ack.stream, seq=first + number))
            self._go_on()

    async def _send(self, group: list[_Waiting]) -> PubAck:
        batch_id = uuid4().hex
        *others, last = (
            (one, {**one.headers, "Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)})
            for number, one in enumerate(group, start=1)
        )
        for one, headers in others:
            await self._client.publish(one.subject, one.payload, headers=headers)
        one, headers = last
        headers["Nats-Batch-Commit"] = "1"
        ack = await self._js.publish(
            one.subject, one.payload, timeout=ATTEMPT_SECONDS, headers=headers
        )
        check_batch(ack, len(group))
        return ack


def _may_be_written(group: list[_Waiting]) -> None:
    for one in group:
        one.ambiguous = True
