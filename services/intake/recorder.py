"""Makes a submission durable: the resume first, then the fact."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final
from uuid import UUID

import structlog

from libs.events import (
    Appended,
    Conflict,
    EventStore,
    LeadSubmitted,
    NewEvent,
    Part,
    RecordedEvent,
    StoreUnavailable,
)
from libs.resumes import ResumeStore
from services.intake.idempotency import Claim, ClaimBucket, claim, new_claim
from services.intake.submission import Submission

_CHUNK: Final = 64 * 1024  # bytes
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the prospect is told.

    Attributes:
        position: where the event stands in the log.
        repeated: it had been recorded before; this request added nothing.
    """

    lead_id: UUID
    submitted_at: datetime
    position: int
    repeated: bool = False


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """Records submissions; safe to call with the same key from many replicas at once."""

    def __init__(
        self,
        store: EventStore,
        resumes: ResumeStore,
        claims: ClaimBucket,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._store, self._resumes, self._claims, self._now = store, resumes, claims, now

    async def record(
        self, submission: Submission, key: str | None, traceparent: str | None = None
    ) -> Receipt:
        """Store the resume and append ``LeadSubmitted``.

        Raises:
            KeyReused: the key stands for another submission.
            Conflict: the lead's id is taken by something else.
            StoreUnavailable: not recorded, or (``ambiguous``) perhaps recorded.
        """
        mine = new_claim(submission.fingerprint, self._now())
        if key is None:
            return await self._write(submission, mine, traceparent)
        agreed, earlier = await claim(self._claims, key, mine, self._recorded)
        if earlier and (receipt := await self._find(agreed)):
            return receipt
        return await self._write(submission, agreed, traceparent)

    async def _recorded(self, agreed: Claim) -> bool:
        return await self._find(agreed) is not None

    async def _find(self, agreed: Claim) -> Receipt | None:
        history = await self._store.load(agreed.lead_id)
        for recorded in history.events:
            if recorded.id == agreed.event_id:
                return _receipt_of(recorded)
        return None

    async def _write(
        self, submission: Submission, agreed: Claim, traceparent: str | None
    ) -> Receipt:
        upload = submission.upload
        stored_as = await self._resumes.put(
            agreed.lead_id, _chunks(upload.file), size=upload.size, sha256=upload.sha256
        )
        new = NewEvent(
            event=submission.event(stored_as),
            id=agreed.event_id,
            time=agreed.submitted_at,
            source="/leadlog/intake",
            actor="prospect",
            correlation_id=agreed.lead_id,
            traceparent=traceparent,
        )
        appended = await self._append(agreed.lead_id, new, stored_as)
        if appended.recorded is not None:
            return await self._settle(appended.recorded, stored_as)
        return Receipt(agreed.lead_id, agreed.submitted_at, appended.position)

    async def _append(self, lead_id: UUID, new: NewEvent, stored_as: str) -> Appended:
        try:
            return await self._store.append(lead_id, Part.SUBMISSION, [new], expected=0)
        except StoreUnavailable as unavailable:
            # When the event may have been written its resume must stay: the janitor decides.
            if not unavailable.ambiguous:
                await self._remove(stored_as)
            raise
        except Conflict:
            await self._remove(stored_as)
            raise

    async def _settle(self, recorded: RecordedEvent, stored_as: str) -> Receipt:
        """Our event is in the log already; it may be another request's, with its own resume."""
        event = recorded.event
        if isinstance(event, LeadSubmitted) and event.resume.object == stored_as:
            return Receipt(recorded.lead_id, recorded.time, recorded.position)
        await self._remove(stored_as)
        return _receipt_of(recorded)

    async def _remove(self, stored_as: str) -> None:
        try:
            await self._resumes.delete(stored_as)
        except StoreUnavailable:
            _log.warning("resume left behind; the janitor will remove it", object=stored_as)


def _receipt_of(recorded: RecordedEvent) -> Receipt:
    return Receipt(recorded.lead_id, recorded.time, recorded.position, repeated=True)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk
