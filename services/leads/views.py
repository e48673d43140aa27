"""Rows and facts to what the API shows (pure)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from libs.events import LeadAssigned, LeadSubmitted, RecordedEvent, Verdict
from services.leads.lead import LeadUnknown, Status, state_of
from services.leads.models import Actor, HistoryEntry, LeadView, Person, Resume
from services.leads.projection.rows import from_micros
from services.leads.quarantine import is_quarantined, scan_of

_ACCOUNT = "account:"
_API_KEY = "api-key:"
_SERVICE = "service:"

NameOf = Callable[[str], str | None]
"""Account id, or `api-key:<id>`, to name; None for one that is gone."""


def named_id_of(actor: str | None) -> str | None:
    """Return what the directory knows the actor by; None for one that has no name."""
    if actor and actor.startswith(_ACCOUNT):
        return actor.removeprefix(_ACCOUNT)
    return actor if actor and actor.startswith(_API_KEY) else None


def named_in(events: Iterable[RecordedEvent]) -> Iterator[str | None]:
    """Return whom the facts name: who did it, and who got a lead."""
    for recorded in events:
        yield named_id_of(recorded.actor)
        if isinstance(recorded.event, LeadAssigned):
            yield recorded.event.assignee


def view_of_row(row: Mapping[str, Any], name_of: NameOf, *, scanning: bool) -> LeadView:
    """Show a row of the projection; `scanning` says whether resumes are scanned here."""
    reached_out_at = row["reached_out_at"]
    verdict, released = verdict_of(row), bool(row["resume_released"])
    return LeadView(
        id=row["id"],
        status=row["status"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        email=row["email"],
        phone=row["phone"],
        message=row["message"],
        resume=Resume(
            file_name=row["resume_file_name"],
            media_type=row["resume_media_type"],
            size=row["resume_size"],
            sha256=row["resume_sha256"],
            scan=scan_of(verdict, scanning=scanning),
            signature=row["scan_signature"],
            quarantined=is_quarantined(verdict, released=released),
        ),
        submitted_at=from_micros(row["submitted_at"]),
        reached_out_at=None if reached_out_at is None else from_micros(reached_out_at),
        reached_out_by=_person(row["reached_out_by"], name_of),
        channel=row["channel"],
        note=row["note"],
        assigned_to=_account(row["assigned_to"], name_of),
    )


def verdict_of(row: Mapping[str, Any]) -> Verdict | None:
    """Return what the last virus scan said, of a row of the projection."""
    verdict = row["scan_verdict"]
    return None if verdict is None else Verdict(verdict)


def view_of_facts(events: Iterable[RecordedEvent], name_of: NameOf, *, scanning: bool) -> LeadView:
    """Show a lead as the log has it, without waiting for any projection.

    Raises:
        LeadUnknown: There is no submission among the facts.
    """
    facts = list(events)
    submission = next((fact for fact in facts if isinstance(fact.event, LeadSubmitted)), None)
    if submission is None or not isinstance(submission.event, LeadSubmitted):
        raise LeadUnknown
    event, state = submission.event, state_of(facts)
    return LeadView(
        id=submission.lead_id,
        status=state.status or Status.PENDING,
        **event.model_dump(include={"first_name", "last_name", "email", "phone", "message"}),
        resume=Resume(
            **event.resume.model_dump(exclude={"object"}),
            scan=scan_of(state.verdict, scanning=scanning),
            signature=state.signature,
            quarantined=is_quarantined(state.verdict, released=state.released),
        ),
        submitted_at=submission.time,
        reached_out_at=state.reached_out_at,
        reached_out_by=_person(state.reached_out_by, name_of),
        channel=state.channel,
        note=state.note,
        assigned_to=_account(state.assigned_to, name_of),
    )


def history_entry(recorded: RecordedEvent, name_of: NameOf) -> HistoryEntry:
    """Show one fact; where the resume's bytes lie is nobody's business."""
    details = recorded.event.model_dump(mode="json", exclude={"resume": {"object"}})
    if isinstance(recorded.event, LeadAssigned):
        assignee = recorded.event.assignee
        details["assignee_name"] = None if assignee is None else name_of(assignee)
    return HistoryEntry(
        id=recorded.id,
        type=recorded.event.type,
        at=recorded.time,
        actor=actor_of(recorded.actor, name_of),
        details=details,
    )


def actor_of(actor: str, name_of: NameOf) -> Actor:
    """Say who an envelope's actor is."""
    known_as = named_id_of(actor)
    if known_as is not None:
        id_ = known_as.removeprefix(_API_KEY)
        return Actor(kind=_kind(known_as), id=id_, name=name_of(known_as))
    if actor.startswith(_SERVICE):
        service = actor.removeprefix(_SERVICE)
        return Actor(kind="service", id=service, name=service)
    if actor == "prospect":
        return Actor(kind="prospect", id=None, name=None)
    return Actor(kind="unknown", id=None, name=None)


def _kind(known_as: str) -> Literal["account", "api-key"]:
    return "api-key" if known_as.startswith(_API_KEY) else "account"


def _person(actor: str | None, name_of: NameOf) -> Person | None:
    known_as = named_id_of(actor)
    if known_as is None:
        return None
    return Person(id=known_as.removeprefix(_API_KEY), name=name_of(known_as))


def _account(account_id: str | None, name_of: NameOf) -> Person | None:
    return None if account_id is None else Person(id=account_id, name=name_of(account_id))
