"""Facts to start a test from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from libs.events import (
    Channel,
    Event,
    LeadAssigned,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    RecordedEvent,
    ResumeRef,
    ResumeReleased,
    ResumeScanned,
    Verdict,
    new_id,
)
from libs.events.envelope import record

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def submitted(
    first_name: str = "Ada", last_name: str = "Lovelace", email: str = "ada@example.org"
) -> LeadSubmitted:
    resume = ResumeRef(
        object="resume-1", file_name="cv.pdf", media_type="application/pdf", size=3, sha256="0" * 64
    )
    return LeadSubmitted(first_name=first_name, last_name=last_name, email=email, resume=resume)


def reached_out(channel: Channel | None = None, note: str | None = None) -> LeadReachedOut:
    return LeadReachedOut(channel=channel, note=note)


def assigned(assignee: str | None = "a1") -> LeadAssigned:
    return LeadAssigned(assignee=assignee)


def resume_scanned(verdict: Verdict = Verdict.INFECTED) -> ResumeScanned:
    signature = "Eicar" if verdict is Verdict.INFECTED else None
    return ResumeScanned(verdict=verdict, signature=signature, engine="ClamAV 1.4.6")


def released(reason: str = "false alarm") -> ResumeReleased:
    return ResumeReleased(reason=reason)


def new(event: Event, *, actor: str = "account:a1", at: datetime = START) -> NewEvent:
    return NewEvent(event=event, id=uuid4(), time=at, source="/leadlog/test", actor=actor)


@dataclass
class Log:
    """Numbers facts as the log would."""

    position: int = 0

    def recorded(
        self, event: Event, lead_id: UUID | None = None, *, actor: str = "account:a1"
    ) -> RecordedEvent:
        self.position += 1
        at = START + timedelta(seconds=self.position)
        return record(new(event, actor=actor, at=at), lead_id or new_id(), self.position)


__all__ = [
    "START",
    "Log",
    "assigned",
    "new",
    "reached_out",
    "released",
    "resume_scanned",
    "submitted",
]
