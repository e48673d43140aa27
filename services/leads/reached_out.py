"""The command "reached out", from the log to the log: load, decide, append, and be honest."""

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from libs.events import Conflict, EventStore, LeadReachedOut, Part, RecordedEvent, event_id
from libs.events.envelope import record
from libs.events.store import History
from services.leads.lead import MarkReachedOut, decide, state_of

_ATTEMPTS: Final = 8
_PAUSE: Final = 0.02
"""Seconds before the first new attempt; each next one waits up to double."""


class KeyReused(Exception):
    """The idempotency key was used before, with another channel or note."""


class TooContended(Exception):
    """Other writers were faster in every attempt."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the log says after the command.

    Attributes:
        events: The lead's facts, the new one included.
        position: Where the log stands for a reader that wants to see it.
        already: Somebody had reached out before this command.
    """

    events: tuple[RecordedEvent, ...]
    position: int
    already: bool


def command_id_of(account_id: str, lead_id: UUID, idempotency_key: str) -> UUID:
    """Return the command id that this account's key means for this lead (RFC 9562, version 5)."""
    return uuid5(lead_id, f"{account_id}\n{idempotency_key}")


async def mark_reached_out(
    store: EventStore, lead_id: UUID, command: MarkReachedOut, traceparent: str | None = None
) -> Outcome:
    """Carry the command out; any number of times, from any replica, it happens once.

    Raises:
        LeadUnknown: The log has no such lead.
        KeyReused: This command id stands in the log with another channel or note.
        TooContended: Give up; nothing was written.
        StoreUnavailable: The log does not answer.
    """
    for attempt in range(_ATTEMPTS):
        history = await store.load(lead_id)
        own = _own(history, command)
        if own is not None:
            return _repeated(history.events, own, command)
        new = [
            replace(event, traceparent=traceparent)
            for event in decide(state_of(history.events), command)
        ]
        if not new:
            return Outcome(history.events, _position(history), already=True)
        try:
            appended = await store.append(
                lead_id, Part.HANDLING, new, expected=history.last(Part.HANDLING)
            )
        except Conflict:
            await asyncio.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 - jitter
            continue
        if appended.recorded is not None:
            events = (*history.events, appended.recorded)
            return _repeated(events, appended.recorded, command)
        recorded = record(new[0], lead_id, appended.position)
        return Outcome((*history.events, recorded), appended.position, already=False)
    raise TooContended


def _own(history: History, command: MarkReachedOut) -> RecordedEvent | None:
    own_id = event_id(command.command_id, 0)
    return next((event for event in history.events if event.id == own_id), None)


def _repeated(
    events: tuple[RecordedEvent, ...], own: RecordedEvent, command: MarkReachedOut
) -> Outcome:
    match own.event:
        case LeadReachedOut(channel=command.channel, note=command.note):
            return Outcome(events, own.position, already=False)
        case _:
            raise KeyReused


def _position(history: History) -> int:
    return max(event.position for event in history.events)
