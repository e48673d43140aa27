"""Writing the audit trail: one chain over the whole stream, however many write to it.

Each process has one writer; what is handed to it while it writes goes together next time.
Across processes the expectation on the stream's last sequence decides who is next: whoever
loses reads the new end and tries again (docs/adr/0017).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Final
from uuid import uuid4

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from libs.audit.entry import AuditEntry, encode, subject_of
from libs.chassis.errors import StoreUnavailable
from libs.chassis.group_commit import WORTH_A_BATCH
from libs.chassis.jetstream import (
    ATTEMPT_SECONDS,
    DEADLINE_SECONDS,
    DuplicateInBatch,
    Headers,
    WrongSequence,
    publish,
    publish_batch,
    with_retries,
)
from libs.events import new_id
from libs.events.chain import GENESIS, PREVIOUS, hash_of
from libs.events.topology import AUDIT

ALL: Final = "audit.>"
_ID: Final = "Nats-Msg-Id"
_EXPECTED: Final = "Nats-Expected-Last-Sequence"
_MOST: Final = 128
_LONGEST_PAUSE: Final = 0.002
_TURN: Final = 0.002
"""Seconds. Who has just written knows the new end before anybody else and would win for ever;
so it leaves the others this much time now and then."""
_WINS_ALONE, _WINS_IN_COMPANY = 64, 8
_COMPANY_SECONDS: Final = 10.0
_NO_BATCHES: Final = 10174


@dataclass(frozen=True, slots=True)
class _Tip:
    """The end of the stream: its last sequence, and the hash that the next entry carries."""

    position: int
    hash: str


@dataclass(slots=True, eq=False)
class _Waiting:
    """An entry that is to be written, and what becomes of it: its position."""

    id: str
    subject: str
    payload: bytes
    done: asyncio.Future[int] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    since: float = field(default_factory=monotonic)


class AuditLog:
    """The stream AUDIT, to write to.

    Args:
        js: the connection.
        deadline_seconds: how long an entry may wait until it is acknowledged.
        now: the time, UTC.
    """

    def __init__(
        self,
        js: JetStreamContext,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context to its client
        self._deadline = deadline_seconds
        self._now = now
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._tip: _Tip | None = None
        self._worth_a_batch = WORTH_A_BATCH
        self._wins = 0
        self._won_at = self._lost_at = float("-inf")

    async def record(self, entry: AuditEntry) -> int:
        """Write an entry for good; its position, once it is acknowledged.

        Raises:
            StoreUnavailable: JetStream did not take it in time; it may stand there all the same.
        """
        entry_id = new_id()
        payload = encode(entry, entry_id, self._now())
        one = _Waiting(str(entry_id), subject_of(entry), payload)
        self._waiting.append(one)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await one.done

    async def _write_all(self) -> None:
        try:
            while group := self._take():
                try:
                    await self._leave_a_turn()
                    await self._write(group)
                except Exception as error:  # noqa: BLE001 - each caller is told, the others go on
                    self._tip = None
                    _fail(group, error)
        finally:
            self._writer = None
            # Only a cancelled writer leaves anybody waiting.
            _fail(list(self._waiting), StoreUnavailable("the service stops", ambiguous=True))
            self._waiting.clear()

    def _take(self) -> list[_Waiting]:
        """Who is next: one alone, or many at once when that is quicker."""
        while self._waiting and self._waiting[0].done.done():
            self._waiting.popleft()  # its caller was cancelled
        count = len(self._waiting) if len(self._waiting) >= self._worth_a_batch else 1
        return [self._waiting.popleft() for _ in range(min(count, _MOST, len(self._waiting)))]

    async def _write(self, group: Sequence[_Waiting]) -> None:
        pause = 0.001
        while True:
            left = group[0].since + self._deadline - monotonic()
            if left <= 0:
                raise StoreUnavailable("others wrote to the audit trail all the time")
            tip = self._tip or await self._read_tip(left)
            try:
                self._tip = await self._attempt(group, tip, max(left, ATTEMPT_SECONDS))
                self._wins, self._won_at = self._wins + 1, monotonic()
            except (WrongSequence, DuplicateInBatch):
                self._tip = None
                self._wins, self._lost_at = 0, monotonic()
                # Since every write expects the sequence before it, an attempt of ours whose
                # answer was lost can stand in one place only.
                if await self._is_at(tip.position + 1, group[0].id):
                    _succeed(group, tip.position + 1)
                    return
                await asyncio.sleep(pause * random.random())  # noqa: S311 - jitter
                pause = min(_LONGEST_PAUSE, 2 * pause)
            except APIError as error:
                if error.err_code != _NO_BATCHES:
                    raise
                self._worth_a_batch = _MOST + 1
                self._waiting.extendleft(reversed(group))
                return
            else:
                _succeed(group, tip.position + 1)
                return

    async def _leave_a_turn(self) -> None:
        now = monotonic()
        company = now - self._lost_at < _COMPANY_SECONDS
        if now - self._won_at > _TURN:
            self._wins = 0  # there was time enough
        elif self._wins >= (_WINS_IN_COMPANY if company else _WINS_ALONE):
            self._wins = 0
            await asyncio.sleep(_TURN)

    async def _attempt(self, group: Sequence[_Waiting], tip: _Tip, deadline: float) -> _Tip:
        messages, last = chained(group, tip)
        if len(messages) == 1:
            subject, payload, headers = messages[0]
            ack = await publish(self._js, subject, payload, headers, deadline=deadline)
        else:
            ack = await publish_batch(self._js, messages, uuid4().hex, deadline=deadline)
        if ack.duplicate:  # a cluster looks for a duplicate before it checks the expectation
            raise WrongSequence
        return _Tip(ack.seq, last)

    async def _read_tip(self, deadline: float) -> _Tip:
        async def attempt() -> _Tip:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                try:
                    raw = await self._js.get_last_msg(AUDIT, ALL)
                except NotFoundError:  # nothing was written yet, or all of it is too old
                    return await self._empty_tip()
            found = hash_of(raw.subject or "", raw.headers or {}, raw.data or b"")
            return _Tip(raw.seq or 0, found)

        return await with_retries(self._client, attempt, deadline=deadline)

    async def _empty_tip(self) -> _Tip:
        try:
            info = await self._js.stream_info(AUDIT)
        except NotFoundError:
            raise StoreUnavailable(
                f"there is no stream {AUDIT}; `leadlog provision` makes it"
            ) from None
        return _Tip(info.state.last_seq, GENESIS)

    async def _is_at(self, position: int, message_id: str) -> bool:
        async def attempt() -> bool:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    raw = await self._js.get_msg(AUDIT, seq=position)
            except NotFoundError:
                return False
            return (raw.headers or {}).get(_ID) == message_id

        return await with_retries(self._client, attempt, deadline=self._deadline)


def chained(group: Sequence[_Waiting], tip: _Tip) -> tuple[list[tuple[str, bytes, Headers]], str]:
    """The messages of a group, each with the hash of the one before it; the hash of the last."""
    messages: list[tuple[str, bytes, Headers]] = []
    link = tip.hash
    for one in group:
        headers = {_ID: one.id, PREVIOUS: link}
        link = hash_of(one.subject, headers, one.payload)
        messages.append((one.subject, one.payload, headers))
    messages[0][2][_EXPECTED] = str(tip.position)
    return messages, link


def _succeed(group: Sequence[_Waiting], first: int) -> None:
    for position, one in enumerate(group, start=first):
        if not one.done.done():
            one.done.set_result(position)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for one in group:
        if not one.done.done():
            one.done.set_exception(error)
