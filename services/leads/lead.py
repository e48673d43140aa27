"""A lead's life as pure functions: what may happen (decide) and what has happened (evolve).

No clock, no ids, no I/O: time and ids come in with the command, so that every rule here is
tested as "given these facts, when this is asked, then these facts follow".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import Any, Protocol
from uuid import UUID

from libs.events import (
    Channel,
    Event,
    LeadAssigned,
    LeadErased,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    ResumeReleased,
    ResumeScanned,
    Verdict,
    event_id,
)

SOURCE = "/leadlog/leads"


class Status(StrEnum):
    """Where a lead stands; it only ever moves downwards in this list."""

    PENDING = "PENDING"
    REACHED_OUT = "REACHED_OUT"


class LeadUnknown(Exception):
    """The log holds no submission of this lead."""


class LeadIsErased(Exception):
    """There was such a lead, and everything about the person was erased."""


class AssignedOtherwise(Exception):
    """The lead is somebody else's now than the command takes it to be."""


@dataclass(frozen=True, slots=True)
class LeadState:
    """What the rules need to know of one lead.

    Attributes:
        status: None while no submission has been seen.
        reached_out_by: The actor of the first `LeadReachedOut`, for example `account:<id>`.
        reached_out_at: When that was.
        channel: How the prospect was contacted, if it was said.
        note: The attorney's remark, if there is one.
        assigned_to: The account whose lead it is; None while it is nobody's.
        verdict: What the last virus scan of the resume said; None before there was one.
        signature: What that scan found.
        released: An administrator has released the resume since then.
        erased: The person was erased; then nothing else is known.
    """

    status: Status | None = None
    reached_out_by: str | None = None
    reached_out_at: datetime | None = None
    channel: Channel | None = None
    note: str | None = None
    assigned_to: str | None = None
    verdict: Verdict | None = None
    signature: str | None = None
    released: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class MarkReachedOut:
    """An attorney says that the prospect has been contacted.

    Attributes:
        command_id: The same for every retry; the ids of the events are derived from it.
        actor: Who says so, for example `account:<id>`.
        at: When it was said (UTC).
        channel: How the prospect was contacted.
        note: A remark for the record.
    """

    command_id: UUID
    actor: str
    at: datetime
    channel: Channel | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """A lead is given to an attorney, or becomes nobody's.

    Attributes:
        command_id: The same for every retry; the ids of the events are derived from it.
        actor: Who does it, for example `account:<id>`.
        at: When (UTC).
        assignee: The account that gets the lead; None: nobody.
        instead_of: Whose it must be now, None standing for nobody's; empty: whoever's it is.
    """

    command_id: UUID
    actor: str
    at: datetime
    assignee: str | None
    instead_of: frozenset[str | None] = frozenset()


@dataclass(frozen=True, slots=True)
class ReleaseResume:
    """An administrator lets people have a resume that is held back.

    Attributes:
        command_id: The same for every retry; the ids of the events are derived from it.
        actor: Who does it, for example `account:<id>`.
        at: When (UTC).
        reason: Why, for the record.
    """

    command_id: UUID
    actor: str
    at: datetime
    reason: str


Command = MarkReachedOut | Assign | ReleaseResume


class Fact(Protocol):
    """What `evolve` reads of an event: `NewEvent` and `RecordedEvent` both have it."""

    @property
    def event(self) -> Event:
        """What happened."""

    @property
    def time(self) -> datetime:
        """When it happened (UTC)."""

    @property
    def actor(self) -> str:
        """Who did it."""


def decide(state: LeadState, command: Command) -> list[NewEvent]:
    """Return the facts that follow from the command; none if it is true already.

    Raises:
        LeadUnknown: There is no such lead.
        LeadIsErased: There was one.
        AssignedOtherwise: The lead is not whose the command says.
    """
    if state.erased:
        raise LeadIsErased
    if state.status is None:
        raise LeadUnknown
    match command:
        case MarkReachedOut(channel=channel, note=note):
            if state.status is Status.REACHED_OUT:
                return []
            return [_fact(command, LeadReachedOut(channel=channel, note=note))]
        case Assign(assignee=assignee, instead_of=instead_of):
            if state.assigned_to == assignee:
                return []
            if instead_of and state.assigned_to not in instead_of:
                raise AssignedOtherwise
            return [_fact(command, LeadAssigned(assignee=assignee))]
        case ReleaseResume(reason=reason):
            # Not scanned yet counts as held back: whatever keeps the scanner from a file for
            # good, somebody must be able to decide.
            if state.released or state.verdict in {Verdict.CLEAN, Verdict.UNSCANNABLE}:
                return []
            return [_fact(command, ResumeReleased(reason=reason))]


def is_meant_by(event: Event, command: Command) -> bool:
    """Tell whether the event is what the command says, and not another one's with its id."""
    match event, command:
        case LeadReachedOut(channel=channel, note=note), MarkReachedOut():
            return (channel, note) == (command.channel, command.note)
        case LeadAssigned(assignee=assignee), Assign():
            return assignee == command.assignee
        case ResumeReleased(reason=reason), ReleaseResume():
            return reason == command.reason
        case _:
            return False


def _fact(command: Command, event: Event) -> NewEvent:
    return NewEvent(
        event=event,
        id=event_id(command.command_id, 0),
        time=command.at,
        source=SOURCE,
        actor=command.actor,
        causation_id=command.command_id,
    )


def evolve(state: LeadState, fact: Fact) -> LeadState:
    """Return the state after the fact. Any fact, in any order, any number of times, is fine.

    Facts of other parts (mail, say) change nothing here; the first `LeadReachedOut` stands, and
    the last `LeadAssigned`, and of the resume's facts the last: a scan after a release counts.
    After `LeadErased` there is nothing.
    """
    if state.erased:
        return state
    match fact.event:
        case LeadErased():
            return LeadState(erased=True)
        case LeadSubmitted():
            return state if state.status else replace(state, status=Status.PENDING)
        case LeadReachedOut(channel=channel, note=note) if state.status is not Status.REACHED_OUT:
            return replace(
                state,
                status=Status.REACHED_OUT,
                reached_out_by=fact.actor,
                reached_out_at=fact.time,
                channel=channel,
                note=note,
            )
        case event:
            return replace(state, **_latest(event))


def _latest(event: Event) -> dict[str, Any]:
    """Return what an event changes of which the last one stands."""
    match event:
        case LeadAssigned(assignee=assignee):
            return {"assigned_to": assignee}
        case ResumeScanned(verdict=verdict, signature=signature):
            return {"verdict": verdict, "signature": signature, "released": False}
        case ResumeReleased():
            return {"released": True}
        case _:
            return {}


def state_of(facts: Iterable[Fact]) -> LeadState:
    """Replay the facts, oldest first."""
    return reduce(evolve, facts, LeadState())
