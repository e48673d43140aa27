"""Events to row changes, and rows to what the API shows (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from libs.events import (
    LeadAssigned,
    LeadErased,
    LeadReachedOut,
    LeadSubmitted,
    Part,
    RecordedEvent,
    ResumeReleased,
    ResumeScanned,
)
from services.leads.lead import Status
from services.leads.text import email_key, fold

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

PARTS: Final = frozenset({Part.SUBMISSION, Part.HANDLING, Part.RESUME})
"""Whose events show in a row; mails are seen in a lead's history, which is read from the log."""

Row = dict[str, Any]


def to_micros(time: datetime) -> int:
    """Return microseconds since 1970 (UTC): an integer sorts and compares in any database."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the time (UTC) of `to_micros`."""
    return _EPOCH + micros * _MICROSECOND


@dataclass(slots=True)
class Changes:
    """What a batch of events does to the table.

    Submissions are applied first. That is the log's order for each lead, since nothing can be
    done with a lead before it was submitted; and what is done touches columns of its own. Leads are
    erased last: nothing is done with them afterwards.
    """

    submitted: list[Row] = field(default_factory=list)
    reached_out: list[Row] = field(default_factory=list)
    assigned: list[Row] = field(default_factory=list)
    resumes: list[Row] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether the batch does anything."""
        updates = self.reached_out or self.assigned or self.resumes
        return bool(self.submitted or updates or self.erased)


def changes_of(events: Iterable[RecordedEvent]) -> Changes:
    """Sort a batch into inserts and updates; events that show nowhere are left out."""
    changes = Changes()
    for recorded in events:
        match recorded.event:
            case LeadSubmitted() as event:
                changes.submitted.append(_submitted(recorded, event))
            case LeadReachedOut() as event:
                changes.reached_out.append(_reached_out(recorded, event))
            case LeadAssigned() as event:
                changes.assigned.append(_assigned(recorded, event))
            case ResumeScanned() | ResumeReleased() as event:
                changes.resumes.append(_resume(recorded, event))
            case LeadErased():
                changes.erased.append(str(recorded.lead_id))
            case _:
                pass
    return changes


def _submitted(recorded: RecordedEvent, event: LeadSubmitted) -> Row:
    resume = event.resume
    return {
        "position": recorded.position,
        "id": str(recorded.lead_id),
        "status": Status.PENDING.value,
        "first_name": event.first_name,
        "last_name": event.last_name,
        "email": event.email,
        "phone": event.phone,
        "message": event.message,
        "resume_object": resume.object,
        "resume_file_name": resume.file_name,
        "resume_media_type": resume.media_type,
        "resume_size": resume.size,
        "resume_sha256": resume.sha256,
        "submitted_at": to_micros(recorded.time),
        "email_key": email_key(event.email),
        "last_name_key": fold(event.last_name),
        "search_text": fold(f"{event.first_name} {event.last_name} {event.email}"),
    }


def _reached_out(recorded: RecordedEvent, event: LeadReachedOut) -> Row:
    return {
        "lead_id": str(recorded.lead_id),
        "at": to_micros(recorded.time),
        "by": recorded.actor,
        "channel": event.channel.value if event.channel else None,
        "note": event.note,
    }


def _assigned(recorded: RecordedEvent, event: LeadAssigned) -> Row:
    return {
        "lead_id": str(recorded.lead_id),
        "assignee": event.assignee,
        "at_position": recorded.position,
    }


def _resume(recorded: RecordedEvent, event: ResumeScanned | ResumeReleased) -> Row:
    scan = event if isinstance(event, ResumeScanned) else None
    return {
        "lead_id": str(recorded.lead_id),
        "verdict": None if scan is None else scan.verdict.value,
        "signature": None if scan is None else scan.signature,
        "released": scan is None,
        "at_position": recorded.position,
    }
