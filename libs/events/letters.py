"""What a dead letter says, and what asks for it to be worked off again (pure).

A redrive is asked for by a message of its own, an order, at ``dead.redrive.<letter's id>``
in the same stream, so that it waits until a consumer takes it up, however many replicas that
has. There is one order for a letter at most.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from libs.events.dead_letters import dead_subject
from libs.events.envelope import RecordedEvent, decode
from libs.events.subjects import InvalidSubject, parse_subject

REDRIVE: Final = "redrive"
"""Stands where a letter's subject has the consumer, so no consumer may be called that."""
PREFIX: Final = "dead."
ORDERS: Final = f"{PREFIX}{REDRIVE}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter.

    Attributes:
        id: the tokens of its subject behind ``dead.``.
        position: its sequence in the stream of dead letters.
        consumer: who gave the message up.
        subject: the message's subject.
        sequence: the message's sequence in the log.
        reason: why it was given up, most recently.
        at: when it was given up first, UTC.
        headers: the message's headers.
        data: its payload; holds personal data.
        redriven_at: when a redrive has failed, UTC.
    """

    id: str
    position: int
    consumer: str
    subject: str
    sequence: int
    reason: str
    at: datetime
    headers: dict[str, str]
    data: bytes = field(repr=False)
    redriven_at: datetime | None = None

    @property
    def key(self) -> str | None:
        """Which part of the event's handling it is about, e.g. one of its mails."""
        _, _, *key = self.id.split(".")
        return key[0] if key else None

    @property
    def event_type(self) -> str | None:
        """The event's type, if it has one."""
        return self.headers.get("ce-type")

    @property
    def lead_id(self) -> UUID | None:
        """The lead it is about, if that can be told."""
        try:
            return parse_subject(self.subject)[0]
        except InvalidSubject:
            return None

    def event(self) -> RecordedEvent:
        """The event itself.

        Raises:
            UnknownEvent, Undecodable: see ``libs.events.envelope.decode``.
        """
        return decode(self.subject, self.headers, self.data, self.sequence)


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody wants a letter to be worked off again.

    Attributes:
        id: tells this redrive from every other.
        letter: the letter's id.
    """

    id: UUID
    letter: str


def parse_letter(subject: str, position: int, body: bytes) -> Letter:
    """Read a letter (pure); what cannot be read becomes a letter that says so."""
    letter_id = subject.removeprefix(PREFIX)
    try:
        raw: dict[str, Any] = json.loads(body)
        redriven = raw.get("redriven_at")
        return Letter(
            id=letter_id,
            position=position,
            consumer=raw["consumer"],
            subject=raw["subject"],
            sequence=int(raw["sequence"]),
            reason=raw["reason"],
            at=datetime.fromisoformat(raw["at"]),
            headers=dict(raw["headers"]),
            data=base64.b64decode(raw["data_base64"], validate=True),
            redriven_at=datetime.fromisoformat(redriven) if redriven else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Letter(
            id=letter_id,
            position=position,
            consumer=letter_id.split(".")[0],
            subject="",
            sequence=0,
            reason="this dead letter itself cannot be read",
            at=datetime.fromtimestamp(0, UTC),
            headers={},
            data=body,
        )


def write_letter(letter: Letter) -> bytes:
    """A letter as it is stored (pure)."""
    raw = {
        "consumer": letter.consumer,
        "subject": letter.subject,
        "sequence": letter.sequence,
        "reason": letter.reason,
        "at": letter.at.isoformat(),
        "headers": letter.headers,
        "data_base64": base64.b64encode(letter.data).decode(),
        "redriven_at": letter.redriven_at.isoformat() if letter.redriven_at else None,
    }
    return json.dumps(raw).encode()


def orders_for(consumer: str) -> str:
    """The filter that matches the orders for a consumer's letters."""
    return f"{ORDERS}{consumer}.>"


def parse_order(subject: str, body: bytes) -> Order:
    """Read an order (pure).

    Raises:
        ValueError: it is none.
    """
    try:
        return Order(UUID(json.loads(body)["id"]), subject.removeprefix(ORDERS))
    except (KeyError, TypeError, AttributeError):
        raise ValueError("not an order") from None


def letter_subject(letter_id: str) -> str:
    """Where a letter stands.

    Raises:
        ValueError: no letter can have this id.
    """
    if letter_id.split(".", maxsplit=1)[0] == REDRIVE:
        raise ValueError("that is an order, and no letter")
    return dead_subject(*letter_id.split("."))


def order_subject(letter_id: str) -> str:
    """Where the order for a letter stands; as ``letter_subject``."""
    return dead_subject(REDRIVE, *letter_id.split("."))
