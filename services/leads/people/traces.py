"""What leads leave outside the log: mail ledger, idempotency claims, dead letters."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from nats.js import JetStreamContext

from libs.chassis.jetstream import StoredMessage, get_batch
from libs.events.letters import ORDERS, PREFIX, parse_letter
from libs.events.topology import DEAD_LETTERS

LEDGER: Final = "KV_MAIL_LEDGER"
CLAIMS: Final = "KV_IDEMPOTENCY"
STREAMS: Final = (LEDGER, CLAIMS, DEAD_LETTERS)


@dataclass(frozen=True, slots=True)
class Marks:
    """By what the traces of some leads are known.

    Attributes:
        lead_ids: the leads.
        event_ids: their events: the ledger's keys begin with one.
        message_ids: the Message-IDs of their mails: a redrive's entry is known by it only.
    """

    lead_ids: frozenset[UUID]
    event_ids: frozenset[UUID] = frozenset()
    message_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Trace:
    """A message that some lead has left."""

    stream: str
    message: StoredMessage


async def traces_of(js: JetStreamContext, marks: Marks) -> list[Trace]:
    """Find everything; reads the three streams whole, which hold days and not years.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    client = js._nc  # noqa: SLF001 - nats-py has no public way from a context
    pages = {stream: await get_batch(client, stream, ">") for stream in STREAMS}
    return [
        *(Trace(LEDGER, message) for message in of_ledger(pages[LEDGER], marks)),
        *(Trace(CLAIMS, message) for message in of_claims(pages[CLAIMS], marks.lead_ids)),
        *(Trace(DEAD_LETTERS, message) for message in of_letters(pages[DEAD_LETTERS], marks)),
    ]


def of_ledger(messages: Iterable[StoredMessage], marks: Marks) -> list[StoredMessage]:
    """The ledger's entries about the mails of some leads (pure).

    A key is ``<id of the event or of a redrive>.<template>.<hash>``. A redrive's id leads
    nowhere, but its mail has the Message-ID of the first attempt.
    """
    entries = [(message, _json(message.data)) for message in messages]
    events = {str(event_id) for event_id in marks.event_ids}
    own = {id(m) for m, _ in entries if m.subject.split(".")[2] in events}
    mails = marks.message_ids | {
        str(body["message_id"]) for m, body in entries if id(m) in own and "message_id" in body
    }
    return [m for m, body in entries if id(m) in own or body.get("message_id") in mails]


def of_claims(messages: Iterable[StoredMessage], lead_ids: Collection[UUID]) -> list[StoredMessage]:
    """The idempotency claims that stand for some leads (pure)."""
    wanted = {str(lead_id) for lead_id in lead_ids}
    return [message for message in messages if _json(message.data).get("lead_id") in wanted]


def of_letters(messages: Iterable[StoredMessage], marks: Marks) -> list[StoredMessage]:
    """The dead letters about some leads, and the orders for them (pure)."""
    found = list(messages)
    letters = [m for m in found if not m.subject.startswith(ORDERS) and _is_about(m, marks)]
    orders = {f"{ORDERS}{m.subject.removeprefix(PREFIX)}" for m in letters}
    return [*letters, *(m for m in found if m.subject in orders)]


def _is_about(message: StoredMessage, marks: Marks) -> bool:
    letter = parse_letter(message.subject, message.sequence, message.data)
    if letter.lead_id is not None:
        return letter.lead_id in marks.lead_ids
    # It has no lead's subject, or cannot be read at all.
    return any(str(lead_id).encode() in letter.data for lead_id in marks.lead_ids)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
