"""A lead's life as pure functions: what may happen (decide) and what has happened (evolve).

No clock, no ids, no I/O: time and ids come in with the command, so that every rule here is
tested as "given these facts, when this is asked, then these facts follow".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import Protocol
from uuid import UUID

from libs.events import Channel, Event, LeadReachedOut, LeadSubmitted, NewEvent, event_id

SOURCE = "/leadlog/leads"


class Status(StrEnum):
    """Where a lead stands; it only ever moves downwards in this list."""

    PENDING = "PENDING"
    REACHED_OUT = "REACHED_OUT"


class LeadUnknown(Exception):
    """The log holds no submission of this lead."""


@dataclass(frozen=True, slots=True)
class LeadState:
    """What the rules need to know of one lead.

    Attributes:
        status: None while no submission has been seen.
        reached_out_by: The actor of the first `LeadReachedOut`, for example `account:<id>`.
        reached_out_at: When that was.
        channel: How the prospect was contacted, if it was said.
        note: The attorney's remark, if there is one.
    """

    status: Status | None = None
    reached_out_by: str | None = None
    reached_out_at: datetime | None = None
    channel: Channel | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class MarkReachedOut:
    """An attorney says that the prospect has been contacted.

    Attributes:
        command_id: The same for every retry; the ids of the events are derived from it.
        account_id: Who says so.
        at: When it was said (UTC).
        channel: How the prospect was contacted.
        note: A remark for the record.
    """

    command_id: UUID
    account_id: str
    at: datetime
    channel: Channel | None = None
    note: str | None = None


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


def decide(state: LeadState, command: MarkReachedOut) -> list[NewEvent]:
    """Return the facts that follow from the command; none if it is true already.

    Raises:
        LeadUnknown: There is no such lead.
    """
    if state.status is None:
        raise LeadUnknown
    if state.status is Status.REACHED_OUT:
        return []
    reached_out = LeadReachedOut(channel=command.channel, note=command.note)
    return [
        NewEvent(
            event=reached_out,
            id=event_id(command.command_id, 0),
            time=command.at,
            source=SOURCE,
            actor=f"account:{command.account_id}",
            causation_id=command.command_id,
        )
    ]


def evolve(state: LeadState, fact: Fact) -> LeadState:
    """Return the state after the fact. Any fact, in any order, any number of times, is fine.

    Facts of other parts (mail, say) change nothing here; the first `LeadReachedOut` stands.
    """
    match fact.event:
        case LeadSubmitted():
            return state if state.status else replace(state, status=Status.PENDING)
        case LeadReachedOut(channel=channel, note=note):
            if state.status is Status.REACHED_OUT:
                return state
            return LeadState(Status.REACHED_OUT, fact.actor, fact.time, channel, note)
        case _:
            return state


def state_of(facts: Iterable[Fact]) -> LeadState:
    """Replay the facts, oldest first."""
    return reduce(evolve, facts, LeadState())
