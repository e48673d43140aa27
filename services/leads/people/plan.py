"""What an erasure has to do with one lead's messages (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.chassis.jetstream import StoredMessage
from libs.events import (
    ErasedEvent,
    LeadErased,
    LeadSubmitted,
    NotificationSent,
    Part,
    RecordedEvent,
    Undecodable,
    UnknownEvent,
)
from libs.events.chain import hash_of
from libs.events.envelope import decode


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        unannounced: events that no `LeadErased` names yet; one has to be written first.
        doomed: positions to erase, the submission's last: it leads to all the rest.
        last_handling: the position of the newest message of the part that `LeadErased` is on.
        objects: names of the lead's resumes.
        event_ids: ids of its events.
        message_ids: Message-IDs of its mails.
    """

    unannounced: tuple[ErasedEvent, ...]
    doomed: tuple[int, ...]
    last_handling: int
    objects: frozenset[str]
    event_ids: frozenset[UUID]
    message_ids: frozenset[str]


def read(message: StoredMessage) -> RecordedEvent | None:
    """The event of a message, or None when this version cannot read it."""
    try:
        return decode(message.subject, message.headers, message.data, message.sequence)
    except (UnknownEvent, Undecodable):
        return None


def plan_of(messages: Sequence[StoredMessage]) -> Plan:
    """Say what has to be done, given all of a lead's messages in the log's order."""
    events = [read(message) for message in messages]
    tombs = [e.event for e in events if e is not None and isinstance(e.event, LeadErased)]
    announced = {one.position for tomb in tombs for one in tomb.erased}
    doomed = [
        message
        for message, event in zip(messages, events, strict=True)
        if event is None or not isinstance(event.event, LeadErased)
    ]
    handling = [m.sequence for m in messages if _part(m) == Part.HANDLING]
    return Plan(
        unannounced=tuple(
            ErasedEvent(
                position=message.sequence,
                part=_part(message),
                hash=hash_of(message.subject, message.headers, message.data),
            )
            for message in doomed
            if message.sequence not in announced
        ),
        doomed=tuple(
            message.sequence
            for message in sorted(doomed, key=lambda one: _part(one) == Part.SUBMISSION)
        ),
        last_handling=max(handling, default=0),
        objects=frozenset(_objects(events)),
        event_ids=frozenset(e.id for e in events if e is not None),
        message_ids=frozenset(_message_ids(events)),
    )


def _part(message: StoredMessage) -> str:
    return message.subject.rsplit(".", 1)[-1]


def _objects(events: Iterable[RecordedEvent | None]) -> Iterable[str]:
    for recorded in events:
        if recorded is not None and isinstance(recorded.event, LeadSubmitted):
            yield recorded.event.resume.object


def _message_ids(events: Iterable[RecordedEvent | None]) -> Iterable[str]:
    for recorded in events:
        if recorded is not None and isinstance(recorded.event, NotificationSent):
            yield recorded.event.message_id
