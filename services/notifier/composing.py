"""From words to the letter that goes out: its headers (RFC 5322, RFC 3834) (pure)."""

from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.utils import format_datetime
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

from services.notifier.addresses import Address, parse_address
from services.notifier.mime import alternatives
from services.notifier.policy import Mail
from services.notifier.rendering import Rendered
from services.notifier.texts import one_line

_MAX_DISPLAY_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom the mails are from."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail that is ready to be sent.

    Attributes:
        smtputf8: the server must know RFC 6531 to take it.
    """

    message_id: str
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    smtputf8: bool


def mail_id(event_id: UUID, mail: Mail) -> UUID:
    """What tells this mail from every other, and is the same on each attempt."""
    return _mail_id(event_id, mail.template, mail.recipient)


@lru_cache(maxsize=1024)
def _mail_id(event_id: UUID, template: str, recipient: str) -> UUID:
    return uuid5(event_id, f"{template}:{recipient}")


def message_id(event_id: UUID, mail: Mail, sender: Sender) -> str:
    """The Message-ID; the same on each attempt, so that a repeat can be recognized."""
    return f"<{mail_id(event_id, mail)}@{sender.address.domain}>"


def compose(
    mail: Mail, rendered: Rendered, *, sender: Sender, event_id: UUID, now: datetime
) -> Letter:
    """The letter, as it will be handed to the server.

    Raises:
        ImpossibleAddress: the recipient's (or the answer's) address cannot be one.
    """
    recipient = parse_address(mail.recipient)
    smtputf8 = recipient.needs_smtputf8 or sender.address.needs_smtputf8
    identity = message_id(event_id, mail, sender)
    headers = [
        ("From", _header_address(sender.name, sender.address)),
        ("To", _header_address("", recipient)),
        ("Subject", rendered.subject),
        ("Date", format_datetime(now)),
        ("Message-ID", identity),
        # Keeps out-of-office programs from answering (RFC 3834, section 5).
        ("Auto-Submitted", "auto-generated"),
    ]
    if mail.reply_to is not None:
        name, address = mail.reply_to
        headers.append(("Reply-To", _header_address(name, parse_address(address))))
    boundary = f"=_{mail_id(event_id, mail).hex}"
    return Letter(
        message_id=identity,
        sender=sender.address.spec,
        recipient=recipient.spec,
        data=alternatives(headers, rendered.text, rendered.html, boundary=boundary, utf8=smtputf8),
        smtputf8=smtputf8,
    )


def _header_address(name: str, address: Address) -> str:
    return str(HeaderAddress(one_line(name, _MAX_DISPLAY_NAME), address.local, address.domain))
