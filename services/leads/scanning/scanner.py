"""Scanning one resume after another: what is submitted, at least once, by any replica.

A result is on disk before the submission is acknowledged; whatever goes wrong, it comes again.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, Literal, Protocol
from uuid import UUID

import structlog

from libs.chassis.errors import StoreUnavailable
from libs.events import (
    Conflict,
    EventStore,
    LeadSubmitted,
    Part,
    RecordedEvent,
    ResumeScanned,
    RetryLater,
    Verdict,
)
from libs.events.backoff import full_jitter
from libs.resumes import ResumeDamaged, ResumeMissing, ResumeStore
from services.leads.scanning.pause import Pause
from services.leads.scanning.replies import ClamdAway, Found, ScanFailed, TooLarge
from services.leads.scanning.results import fact_of, is_wanted, scanned

TRIES: Final = 5
"""A resume that is missing, damaged or makes clamd fail so often is `unscannable`. Not the first
time: a replica of the object store may lag behind the log."""
_TRIES_TO_APPEND: Final = 8
_FIRST_RETRY: Final = 1.0
_LONGEST_RETRY: Final = 60.0

Reason = Literal["too-large", "missing", "damaged", "failed"]

log = structlog.get_logger(__name__)


class Engine(Protocol):
    """What is needed of a virus scanner; see `services.leads.scanning.clamd.Clamd`."""

    async def version(self) -> str | None:
        """What it is."""
        ...

    async def scan(self, pieces: AsyncIterator[bytes]) -> Found:
        """Scan the bytes."""
        ...


class Told(Protocol):
    """Hears what is done: metrics in the service."""

    def scanned(self, verdict: Verdict) -> None:
        """A result is in the log."""

    def away(self, *, is_away: bool) -> None:
        """Whether the scanner answers."""


class Scanner:
    """Handles submissions; `handle` is a handler of a durable consumer.

    Args:
        store: the log.
        resumes: the bytes.
        engine: the virus scanner.
        told: hears of results.
        pause: what is known of the scanner being away.
        now: the time, UTC.
    """

    def __init__(
        self,
        store: EventStore,
        resumes: ResumeStore,
        engine: Engine,
        told: Told,
        *,
        pause: Pause | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._resumes, self._engine, self._told = store, resumes, engine, told
        self._pause = pause or Pause()
        self._now = now
        self._failures: dict[UUID, int] = {}

    async def handle(self, submission: RecordedEvent, attempt: int) -> None:
        """Scan a submission's resume and write down the result.

        Raises:
            RetryLater: not now; nothing of this ever becomes a dead letter.
            StoreUnavailable: the log or the object store does not answer.
        """
        try:
            await self._handle(submission, attempt)
        except (RetryLater, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("a resume could not be scanned", lead_id=str(submission.lead_id))
            raise RetryLater(_LONGEST_RETRY, type(error).__name__) from error

    async def _handle(self, submission: RecordedEvent, attempt: int) -> None:
        if not isinstance(submission.event, LeadSubmitted):
            return
        await self._pause.over()
        if not is_wanted(submission, (await self._store.load(submission.lead_id)).events):
            self._failures.pop(submission.lead_id, None)
            return
        try:
            result = await self._result(submission.lead_id, submission.event.resume.object)
        except ClamdAway as away:
            seconds = self._pause.begin(str(away))
            self._told.away(is_away=True)
            delay = max(seconds, full_jitter(attempt, _FIRST_RETRY, _LONGEST_RETRY))
            raise RetryLater(delay, "clamd is away") from None
        await self._record(submission, result)
        self._failures.pop(submission.lead_id, None)

    async def _result(self, lead_id: UUID, name: str) -> ResumeScanned:
        engine = await self._engine.version()
        found = await self._looked_at(name)
        # Only now: a clamd that has no room for its temporary file still says its version.
        self._pause.end()
        self._told.away(is_away=False)
        if isinstance(found, Found):
            return scanned(found, engine)
        if found != "too-large":
            failures = self._failures[lead_id] = self._failures.get(lead_id, 0) + 1
            if failures < TRIES:
                raise RetryLater(full_jitter(failures, _FIRST_RETRY, _LONGEST_RETRY), found)
        return ResumeScanned(verdict=Verdict.UNSCANNABLE, reason=found, engine=engine)

    async def _looked_at(self, name: str) -> Found | Reason:
        try:
            async with aclosing(_pieces(self._resumes.read(name))) as pieces:
                return await self._engine.scan(pieces)
        except TooLarge:
            return "too-large"
        except ResumeMissing:
            return "missing"
        except ResumeDamaged:
            return "damaged"
        except ScanFailed:
            return "failed"

    async def _record(self, submission: RecordedEvent, result: ResumeScanned) -> None:
        lead_id, fact = submission.lead_id, fact_of(submission, result, self._now())
        for _ in range(_TRIES_TO_APPEND):
            history = await self._store.load(lead_id)
            if not is_wanted(submission, history.events):
                return  # another replica was faster, or the lead is erased
            try:
                done = await self._store.append(
                    lead_id, Part.RESUME, [fact], expected=history.last(Part.RESUME)
                )
            except Conflict:
                continue
            if not done.duplicate:
                self._told.scanned(result.verdict)
                _say(lead_id, result)
            return
        raise RetryLater(_FIRST_RETRY, "others write to the same part")


async def _pieces(reading: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    async for piece in reading:
        yield piece


def _say(lead_id: UUID, result: ResumeScanned) -> None:
    match result.verdict:
        case Verdict.INFECTED:
            log.warning("a resume is infected", lead_id=str(lead_id), signature=result.signature)
        case Verdict.UNSCANNABLE:
            log.warning("a resume cannot be scanned", lead_id=str(lead_id), reason=result.reason)
        case Verdict.CLEAN:
            log.debug("a resume is clean", lead_id=str(lead_id))
