"""The event store on NATS JetStream."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Sequence
from time import monotonic
from typing import Final
from uuid import UUID, uuid4

import structlog
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.group_commit import GroupCommit
from libs.chassis.jetstream import (
    ATTEMPT_SECONDS,
    DEADLINE_SECONDS,
    DuplicateInBatch,
    StoredMessage,
    WrongSequence,
    get_batch,
    publish_batch,
    with_retries,
)
from libs.events.chain import GENESIS, PREVIOUS, hash_of
from libs.events.dead_letters import DeadLetters
from libs.events.envelope import NewEvent, RecordedEvent, Undecodable, decode, encode
from libs.events.jetstream_catch_up import catch_up
from libs.events.jetstream_consume import consume
from libs.events.store import (
    DEFAULT_OPTIONS,
    Appended,
    Batch,
    Conflict,
    ConsumeOptions,
    Handler,
    History,
)
from libs.events.subjects import STREAM, InvalidSubject, Part, parse_subject, subject_of
from libs.events.subjects import subject_of_lead as _lead_filter
from libs.events.tips import Tips
from libs.events.upcast import UnknownEvent

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_ROOT: Final = 0
"""Where ``Tips`` keeps the hash of a lead's submission, whatever its position."""
_LAG_SECONDS: Final = 0.05
_EXPECTED_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
_log = structlog.get_logger(__name__)


class JetStreamEventStore:
    """``libs.events.store.EventStore`` on the stream LEADS.

    ``deadline_seconds`` bounds each call; see docs/adr/0003.

    Attributes:
        skipped: how many messages were passed over, by reason (``unknown``, ``undecodable``).
    """

    def __init__(self, js: JetStreamContext, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._js = js
        self._deadline = deadline_seconds
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context
        self._group = GroupCommit(js)
        self._dead_letters = DeadLetters(js)
        self._tips = Tips()
        self.skipped: Counter[str] = Counter()

    async def append(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        """See ``EventStore.append``."""
        check_append(part, events)
        try:
            return await self._write(lead_id, part, events, expected)
        except (WrongSequence, DuplicateInBatch):
            # Perhaps an earlier attempt of ours got through and its answer was lost: a single
            # server checks the expectation before it looks for a duplicate.
            own = await self._own(lead_id, part, events, expected)
        if own is None:
            raise Conflict
        return Appended(own.position + len(events) - 1, duplicate=True, recorded=own)

    async def _write(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], expected: int
    ) -> Appended:
        subject = subject_of(lead_id, part)
        encoded = [encode(event, lead_id) for event in events]
        tip = await self._chain(lead_id, part, encoded, expected)
        # Always the literal subject of this one part: a wildcard expectation is not safe on
        # three nodes. Later messages of a batch may not repeat it.
        encoded[0][0].update({_EXPECTED: str(expected), _EXPECTED_SUBJECT: subject})
        if len(encoded) == 1:
            headers, payload = encoded[0]
            ack = await self._group.publish(subject, payload, headers, deadline=self._deadline)
        else:
            messages = [(subject, payload, headers) for headers, payload in encoded]
            ack = await publish_batch(self._js, messages, str(uuid4()), deadline=self._deadline)
        if ack.duplicate:
            # A duplicate is found by its id alone, whatever part and place it stands at.
            raise WrongSequence
        self._tips.keep(subject, ack.seq, tip)
        return Appended(ack.seq)

    async def _chain(
        self,
        lead_id: UUID,
        part: Part,
        encoded: Sequence[tuple[dict[str, str], bytes]],
        expected: int,
    ) -> str:
        """Give each message the hash of the one before it; the hash of the last."""
        subject = subject_of(lead_id, part)
        tip = await self._tip(lead_id, part, expected)
        for headers, payload in encoded:
            headers[PREVIOUS] = tip
            tip = hash_of(subject, headers, payload)
        return tip

    async def _tip(self, lead_id: UUID, part: Part, expected: int) -> str:
        """The hash that the next event of a part carries."""
        if expected:
            return await self._hash_at(subject_of(lead_id, part), expected, first=expected)
        if part is Part.SUBMISSION:
            return GENESIS
        # The first event of another part hangs on the lead's submission.
        return await self._hash_at(subject_of(lead_id, Part.SUBMISSION), _ROOT, first=1)

    async def _hash_at(self, subject: str, key: int, *, first: int) -> str:
        known = self._tips.get(subject, key)
        if known is None and (message := await self._next(subject, first)) is not None:
            known = hash_of(subject, message.headers, message.data)
            self._tips.keep(subject, key, known)
        return known or GENESIS

    async def _own(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], expected: int
    ) -> RecordedEvent | None:
        """Our first event, if the slot right after ``expected`` (or a later one) holds it."""
        subject = subject_of(lead_id, part)
        position = expected
        while (message := await self._next(subject, position + 1)) is not None:
            recorded = self._decoded(message)
            if recorded is not None and recorded.id == events[0].id:
                return recorded
            position = message.sequence
        return None

    async def _next(self, subject: str, first: int) -> StoredMessage | None:
        """The subject's first message from a position on, as the leader has it."""

        async def attempt() -> StoredMessage | None:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    raw = await self._js.get_msg(STREAM, seq=first, subject=subject, next=True)
            except NotFoundError:
                return None
            return StoredMessage(subject, raw.seq or 0, raw.headers or {}, raw.data or b"")

        return await with_retries(self._client, attempt, deadline=self._deadline)

    async def load(self, lead_id: UUID) -> History:
        """See ``EventStore.load``."""
        messages = await self._messages_of(lead_id)
        lasts: dict[Part, int] = {}
        events = []
        for message in messages:
            try:
                part = parse_subject(message.subject)[1]
            except InvalidSubject:
                continue
            found = self._tips.see(message.subject, message.sequence, message.headers, message.data)
            if part is Part.SUBMISSION and part not in lasts:
                self._tips.keep(message.subject, _ROOT, found)
            lasts[part] = message.sequence
            if (recorded := self._decoded(message)) is not None:
                events.append(recorded)
        return History(tuple(events), lasts)

    async def _messages_of(self, lead_id: UUID) -> list[StoredMessage]:
        """All messages of a lead; that there are none is believed only if the leader says so.

        Any replica answers the first question, also one that lags or is cut off: what it does
        not know yet must not be called unknown, and its resume not an orphan.
        """
        subject, end = _lead_filter(lead_id), monotonic() + self._deadline
        while True:
            messages = await get_batch(self._client, STREAM, subject, deadline=self._deadline)
            if messages or await self._next(subject, 1) is None:
                return messages
            if monotonic() > end:
                raise StoreUnavailable("the replica that answers lags behind the log")
            await asyncio.sleep(_LAG_SECONDS)

    def _decoded(self, message: StoredMessage) -> RecordedEvent | None:
        try:
            return decode(message.subject, message.headers, message.data, message.sequence)
        except UnknownEvent as unknown:
            self._skip("unknown", message.sequence, str(unknown))
        except Undecodable as broken:
            self._skip("undecodable", message.sequence, str(broken))
        return None

    def _skip(self, reason: str, position: int, detail: str) -> None:
        self.skipped[reason] += 1
        _log.warning("event skipped", reason=reason, position=position, detail=detail)

    async def last_position(self) -> int:
        """See ``EventStore.last_position``."""

        async def attempt() -> int:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                info = await self._js.stream_info(STREAM)
            return info.state.last_seq

        return await with_retries(self._client, attempt, deadline=self._deadline)

    def catch_up(
        self, *, after: int, parts: Collection[Part] | None = None, batch_size: int = 1000
    ) -> AsyncGenerator[Batch, None]:
        """See ``EventStore.catch_up``."""
        return catch_up(
            self._js,
            self._dead_letters,
            self._skip,
            after=after,
            parts=parts,
            batch_size=batch_size,
        )

    async def consume(
        self,
        name: str,
        parts: Collection[Part],
        handler: Handler,
        *,
        options: ConsumeOptions = DEFAULT_OPTIONS,
    ) -> None:
        """See ``EventStore.consume``."""
        await consume(self._js, self._dead_letters, self._skip, name, parts, handler, options)


def check_append(part: Part, events: Sequence[NewEvent]) -> None:
    """Refuse an append that no store may take.

    Raises:
        ValueError: no events, or events of another part.
    """
    if not events:
        raise ValueError("an append needs at least one event")
    if any(event.event.part is not part for event in events):
        raise ValueError(f"every event of this append must belong to the part {part}")
