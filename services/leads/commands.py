"""Carrying a command out, from the log to the log: load, decide, append, and be honest."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from libs.events import Conflict, EventStore, RecordedEvent, event_id
from libs.events.envelope import record
from libs.events.store import History
from services.leads.lead import Command, LeadState, LeadUnknown, decide, is_meant_by, state_of

_ATTEMPTS: Final = 8
_PAUSE: Final = 0.02
"""Seconds before the first new attempt; each next one waits up to double."""


class KeyReused(Exception):
    """The idempotency key was used before, for another command."""


class TooContended(Exception):
    """Other writers were faster in every attempt."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the log says after the command.

    Attributes:
        events: The lead's facts, the new one included.
        position: Where the log stands for a reader that wants to see it.
        already: It was true before this command.
    """

    events: tuple[RecordedEvent, ...]
    position: int
    already: bool


def command_id_of(who: str, lead_id: UUID, idempotency_key: str) -> UUID:
    """Return the command id that somebody's key means for this lead (RFC 9562, version 5)."""
    return uuid5(lead_id, f"{who}\n{idempotency_key}")


async def carry_out(
    store: EventStore,
    lead_id: UUID,
    command: Command,
    *,
    may_see: Callable[[LeadState], bool],
    traceparent: str | None = None,
) -> Outcome:
    """Carry the command out; any number of times, from any replica, it happens once.

    Args:
        store: The log.
        lead_id: Which lead.
        command: What is to happen.
        may_see: Whether the lead exists for whoever asks. It is asked of the very state that
            the command is decided on: who loses the lead meanwhile can no longer change it.
        traceparent: Goes into the event.

    Raises:
        LeadUnknown: The log has no such lead, or it may not be seen.
        LeadIsErased: There was one.
        AssignedOtherwise: The lead is not whose the command says.
        KeyReused: This command id stands in the log for another command.
        TooContended: Give up; nothing was written.
        StoreUnavailable: The log does not answer.
    """
    for attempt in range(_ATTEMPTS):
        history = await store.load(lead_id)
        state = state_of(history.events)
        if not may_see(state):
            raise LeadUnknown
        own = _own(history, command)
        if own is not None:
            return _repeated(history.events, own, command)
        new = [replace(event, traceparent=traceparent) for event in decide(state, command)]
        if not new:
            return Outcome(history.events, _position(history), already=True)
        try:
            part = new[0].event.part
            appended = await store.append(lead_id, part, new, expected=history.last(part))
        except Conflict:
            await asyncio.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 - jitter
            continue
        if appended.recorded is not None:
            events = (*history.events, appended.recorded)
            return _repeated(events, appended.recorded, command)
        recorded = record(new[0], lead_id, appended.position)
        return Outcome((*history.events, recorded), appended.position, already=False)
    raise TooContended


def _own(history: History, command: Command) -> RecordedEvent | None:
    own_id = event_id(command.command_id, 0)
    return next((event for event in history.events if event.id == own_id), None)


def _repeated(events: tuple[RecordedEvent, ...], own: RecordedEvent, command: Command) -> Outcome:
    if not is_meant_by(own.event, command):
        raise KeyReused
    return Outcome(events, own.position, already=False)


def _position(history: History) -> int:
    return max(event.position for event in history.events)
