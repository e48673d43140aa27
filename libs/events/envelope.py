"""The envelope: CloudEvents 1.0 attributes in NATS headers, JSON data in the payload (pure).

Binary mode of the CloudEvents NATS protocol binding: each attribute is a header
``ce-<name>``. No header, subject or id ever holds personal data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from libs.events.model import Event
from libs.events.subjects import InvalidSubject, Part, may_be_newer, parse_subject
from libs.events.upcast import UnknownEvent, read_event

SCHEMA_PREFIX: Final = "urn:leadlog:event:"
_UUID_LENGTH: Final = 36
MSG_ID: Final = "Nats-Msg-Id"
_NEEDED: Final = ("ce-type", "ce-dataschema", "ce-id", "ce-time")


class Undecodable(Exception):
    """A message in the stream that is no event of ours: it goes to the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that is not written yet, with its context.

    Attributes:
        id: also its ``Nats-Msg-Id``.
        time: when it happened, UTC.
        source: the writing service, e.g. ``/leadlog/intake``.
        actor: who did it: ``prospect``, ``account:<id>``, ``api-key:<id>`` or ``service:<name>``.
        causation_id: the event or command that led to it.
        correlation_id: what all events of one story share.
        traceparent: W3C trace context of the request.
    """

    event: Event
    id: UUID
    time: datetime
    source: str
    actor: str
    causation_id: UUID | None = None
    correlation_id: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event as the log holds it; ``position`` is its sequence in the stream."""

    event: Event
    id: UUID
    time: datetime
    source: str
    actor: str
    lead_id: UUID
    part: Part
    position: int
    causation_id: UUID | None = None
    correlation_id: UUID | None = None
    traceparent: str | None = None


def record(new: NewEvent, lead_id: UUID, position: int) -> RecordedEvent:
    """What ``new`` becomes once it stands in the log at ``position``."""
    return RecordedEvent(
        event=new.event,
        id=new.id,
        time=new.time,
        source=new.source,
        actor=new.actor,
        lead_id=lead_id,
        part=new.event.part,
        position=position,
        causation_id=new.causation_id,
        correlation_id=new.correlation_id,
        traceparent=new.traceparent,
    )


def encode(new: NewEvent, lead_id: UUID) -> tuple[dict[str, str], bytes]:
    """The headers and the payload of an event."""
    headers = {
        MSG_ID: str(new.id),
        "ce-specversion": "1.0",
        "ce-id": str(new.id),
        "ce-source": new.source,
        "ce-type": new.event.type,
        "ce-subject": str(lead_id),
        "ce-time": new.time.astimezone(UTC).isoformat(),
        "ce-datacontenttype": "application/json",
        "ce-dataschema": f"{SCHEMA_PREFIX}{new.event.type}:{new.event.version}",
        "ce-actor": new.actor,
    }
    optional = {
        "ce-causationid": new.causation_id,
        "ce-correlationid": new.correlation_id,
        "traceparent": new.traceparent,
    }
    headers |= {name: str(value) for name, value in optional.items() if value is not None}
    return headers, new.event.model_dump_json().encode()


def decode(
    subject: str, headers: Mapping[str, str] | None, payload: bytes, position: int
) -> RecordedEvent:
    """Read a stored message.

    Raises:
        UnknownEvent: its type or version is not known here; skip it.
        Undecodable: it is damaged or no event at all.
    """
    headers = headers or {}
    for name in _NEEDED:
        if name not in headers:
            raise Undecodable(f"header {name} is missing")
    try:
        lead_id, part = parse_subject(subject)
        event_type = headers["ce-type"]
        event = read_event(event_type, _version(event_type, headers["ce-dataschema"]), payload)
        if event.part is not part:
            raise Undecodable(f"{event_type} does not belong on part {part}")  # noqa: TRY301
        return RecordedEvent(
            event=event,
            id=UUID(headers["ce-id"]),
            time=_time(headers["ce-time"]),
            source=headers.get("ce-source", ""),
            actor=headers.get("ce-actor", ""),
            lead_id=lead_id,
            part=part,
            position=position,
            causation_id=_uuid(headers.get("ce-causationid")),
            correlation_id=_correlation(headers.get("ce-correlationid"), lead_id, subject),
            traceparent=headers.get("traceparent"),
        )
    except (UnknownEvent, Undecodable):
        raise
    except InvalidSubject:
        if may_be_newer(subject):
            raise UnknownEvent(f"{headers['ce-type']} on a part of its own") from None
        raise Undecodable("the subject is not leads.<lead id>.<part>") from None
    except Exception as error:  # noqa: BLE001 - see below
        # Whatever a stored message makes a model or an upcaster do, it must not stop its
        # reader. The error's own text can hold what was sent: only its kind is passed on.
        raise Undecodable(f"the event does not fit its schema ({type(error).__name__})") from None


def _version(event_type: str, schema: str) -> int:
    prefix = f"{SCHEMA_PREFIX}{event_type}:"
    if not schema.startswith(prefix):
        raise Undecodable("ce-dataschema does not fit ce-type")
    version = int(schema.removeprefix(prefix))
    if version < 1:
        raise Undecodable("ce-dataschema has no version")
    return version


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise Undecodable("ce-time has no time zone")
    return time


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _correlation(text: str | None, lead_id: UUID, subject: str) -> UUID | None:
    # Nearly always the lead itself: then the UUID of its subject, already made, is taken.
    return lead_id if text and text in subject and len(text) == _UUID_LENGTH else _uuid(text)
