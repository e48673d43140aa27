"""Makes a submission durable: the resume first, then the fact."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, Final
from uuid import UUID

from libs.events import NewEvent
from libs.events.submissions import Submissions
from libs.resumes import ResumeStore
from services.intake.idempotency import Claim, ClaimBucket, claim, new_claim
from services.intake.submission import Submission

_CHUNK: Final = 64 * 1024  # bytes


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
    """Records submissions; safe to call with the same key from many replicas at once.

    It cannot read or erase anything of a lead, and so needs no right to. A resume that no
    event came to refer to is left to the janitor of the service leads (docs/adr/0020).
    """

    def __init__(
        self,
        log: Submissions,
        resumes: ResumeStore,
        claims: ClaimBucket,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._log, self._resumes, self._claims, self._now = log, resumes, claims, now

    async def record(
        self, submission: Submission, key: str | None, traceparent: str | None = None
    ) -> Receipt:
        """Store the resume and append ``LeadSubmitted``.

        Raises:
            KeyReused: the key stands for another submission.
            StoreUnavailable: not recorded, or (``ambiguous``) perhaps recorded.
        """
        mine = new_claim(submission.fingerprint, self._now())
        if key is None:
            # Whatever stands there is this request's own, be it from a lost first attempt.
            return replace(await self._write(submission, mine, traceparent), repeated=False)
        agreed, earlier = await claim(self._claims, key, mine, self._recorded)
        if earlier and (receipt := await self._find(agreed)):
            return receipt
        return await self._write(submission, agreed, traceparent)

    async def _recorded(self, agreed: Claim) -> bool:
        return await self._find(agreed) is not None

    async def _find(self, agreed: Claim) -> Receipt | None:
        position = await self._log.position_of(agreed.lead_id)
        return None if position is None else _receipt(agreed, position, repeated=True)

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
        submitted = await self._log.submit(agreed.lead_id, new)
        return _receipt(agreed, submitted.position, repeated=submitted.before)


def _receipt(agreed: Claim, position: int, *, repeated: bool) -> Receipt:
    return Receipt(agreed.lead_id, agreed.submitted_at, position, repeated)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk
