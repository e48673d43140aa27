"""What a scan writes into the log, and when it need not (pure)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from libs.events import (
    LeadErased,
    LeadSubmitted,
    NewEvent,
    RecordedEvent,
    ResumeScanned,
    Verdict,
    event_id,
)
from services.leads.lead import SOURCE
from services.leads.scanning.replies import Found

ACTOR: Final = "service:leads"
_COMMAND: Final = "scan-resume"


def scan_id_of(submission: RecordedEvent) -> UUID:
    """Return the id of the fact about a submission's resume: the same, whoever scans it."""
    return event_id(uuid5(submission.id, _COMMAND), 0)


def is_wanted(submission: RecordedEvent, facts: Iterable[RecordedEvent]) -> bool:
    """Tell whether the resume is still there to be scanned, and has not been."""
    known = list(facts)
    done = scan_id_of(submission)
    if any(isinstance(fact.event, LeadErased) or fact.id == done for fact in known):
        return False
    return any(isinstance(fact.event, LeadSubmitted) for fact in known)


def scanned(found: Found, engine: str | None) -> ResumeScanned:
    """Return the fact that a scan has come to its end."""
    if found.signature is None:
        return ResumeScanned(verdict=Verdict.CLEAN, engine=engine)
    return ResumeScanned(verdict=Verdict.INFECTED, signature=found.signature, engine=engine)


def fact_of(submission: RecordedEvent, result: ResumeScanned, at: datetime) -> NewEvent:
    """Return what is to be appended to the lead's resume part."""
    return NewEvent(
        event=result,
        id=scan_id_of(submission),
        time=at,
        source=SOURCE,
        actor=ACTOR,
        causation_id=submission.id,
        correlation_id=submission.lead_id,
        traceparent=submission.traceparent,
    )
