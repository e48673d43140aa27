"""What a kept mail says: a line for the list, and its parts (pure).

The standard library's older policy is used on purpose: it keeps headers as they came, where
the newer one raises on some that are broken, and a broken mail must be shown above all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from uuid import UUID

from services.cli.mail_catcher.envelope import Envelope, unstamp
from services.cli.mail_catcher.words import clean, decoded, header_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Summary:
    """A mail in the list.

    Attributes:
        id: also the name of its file.
        sender: the From header, or the envelope's sender.
        recipients: addresses from the envelope, or of the To header.
        subject: empty if there is none.
        date: the Date header, if there is one that can be read.
        received: when it was caught (UTC).
    """

    id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    date: datetime | None
    received: datetime


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is neither the text nor the HTML; size in bytes."""

    name: str
    media_type: str
    size: int


@dataclass(slots=True)
class Content:
    """What is in a mail; ``readable`` is false when its structure could not be parsed."""

    headers: list[tuple[str, str]]
    envelope: Envelope | None
    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)
    readable: bool = True


def received_at(mail_id: str) -> datetime:
    """When an id was made (UTC): the first 48 bits of a UUIDv7 are milliseconds (RFC 9562)."""
    return _EPOCH + timedelta(milliseconds=UUID(mail_id).int >> 80)


def summarize(mail_id: str, kept: bytes) -> Summary:
    """The mail's line in the list; the beginning of the file is enough."""
    envelope, data = unstamp(kept)
    headers = BytesHeaderParser().parsebytes(data)
    sender = _first(headers, "from") or (envelope.sender if envelope else "")
    return Summary(
        id=mail_id,
        sender=header_text(sender),
        recipients=envelope.recipients if envelope else _addresses(headers, "to"),
        subject=header_text(_first(headers, "subject")),
        date=_date(_first(headers, "date")),
        received=received_at(mail_id),
    )


def open_mail(kept: bytes) -> Content:
    """The mail's headers and parts."""
    envelope, data = unstamp(kept)
    try:
        message = BytesParser().parsebytes(data)
    except RecursionError:  # parts within parts within parts
        headers = _headers(BytesHeaderParser().parsebytes(data))
        return Content(headers, envelope, readable=False)
    content = Content(_headers(message), envelope)
    for part in _leaves(message):
        _sort_in(content, part)
    return content


def _sort_in(content: Content, part: Message) -> None:
    """The first text and the first HTML are the mail; everything else is attached."""
    kind = part.get_content_type()
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    name = _file_name(part)
    attached = bool(name) or _first(part, "content-disposition").lower().startswith("attach")
    if kind == "text/plain" and not attached and content.text is None:
        content.text = decoded(data, _charset(part))
    elif kind == "text/html" and not attached and content.html is None:
        content.html = decoded(data, _charset(part))
    else:
        content.attachments.append(Attachment(name, clean(kind), len(data)))


def _leaves(message: Message) -> Iterator[Message]:
    """Parts that are no container; a mail within the mail counts as one part."""
    inner = message.get_payload()
    if message.get_content_maintype() != "multipart" or not isinstance(inner, list):
        yield message
        return
    for part in inner:
        if isinstance(part, Message):
            yield from _leaves(part)


def _headers(message: Message) -> list[tuple[str, str]]:
    return [(clean(name), header_text(str(value))) for name, value in message.raw_items()]


def _first(message: Message, name: str) -> str:
    """The first header of that name, as it came; ``message[name]`` would decode it badly."""
    found = (value for each, value in message.raw_items() if each.lower() == name)
    return str(next(found, ""))


def _addresses(message: Message, name: str) -> tuple[str, ...]:
    raw = _first(message, name)
    return tuple(header_text(address) for _, address in getaddresses([raw]) if address)


def _date(raw: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(raw)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, ValueError):
        return None


def _file_name(part: Message) -> str:
    try:
        return header_text(part.get_filename() or "")
    except (LookupError, ValueError):
        return "(unreadable name)"
