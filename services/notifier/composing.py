"""From words to the bytes that go out: MIME (RFC 2045), headers (RFC 5322, RFC 3834) (pure)."""

from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from typing import Final
from uuid import UUID, uuid5

from services.notifier.addresses import Address, parse_address
from services.notifier.policy import Mail
from services.notifier.rendering import Rendered
from services.notifier.texts import one_line

# Seven bits pass every relay; nothing is gained by 8BITMIME at this size.
_ASCII: Final = policy.SMTP.clone(cte_type="7bit")
_UTF8: Final = policy.SMTPUTF8
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
    return uuid5(event_id, f"{mail.template}:{mail.recipient}")


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
    message = EmailMessage(policy=_UTF8 if smtputf8 else _ASCII)
    message["From"] = _header_address(sender.name, sender.address)
    message["To"] = _header_address("", recipient)
    if mail.reply_to is not None:
        name, address = mail.reply_to
        message["Reply-To"] = _header_address(name, parse_address(address))
    message["Subject"] = rendered.subject
    message["Date"] = now
    message["Message-ID"] = message_id(event_id, mail, sender)
    # Keeps out-of-office programs from answering (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    for part in message.iter_parts():
        del part["MIME-Version"]  # belongs to the whole message (RFC 2045, section 4)
    return Letter(
        message_id=message["Message-ID"],
        sender=sender.address.spec,
        recipient=recipient.spec,
        data=message.as_bytes(),
        smtputf8=smtputf8,
    )


def _header_address(name: str, address: Address) -> HeaderAddress:
    return HeaderAddress(one_line(name, _MAX_DISPLAY_NAME), address.local, address.domain)
