"""Which event means which mails, to whom, saying what (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from libs.events import LeadSubmitted, RecipientRole, RecordedEvent
from services.notifier.addresses import ImpossibleAddress, parse_address
from services.notifier.texts import greeted_name, human_size, one_line, paragraphs

ACKNOWLEDGEMENT: Final = "prospect_acknowledgement"
ALERT: Final = "attorney_alert"
TEMPLATES: Final = (ACKNOWLEDGEMENT, ALERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """What the mails say about the firm, and who in it is told.

    Attributes:
        name: as prospects know it.
        attorneys: the addresses that get an alert for each lead.
        reply_to: where a prospect's answer goes.
        inbox_url: the attorneys' inbox, without a slash at its end.
    """

    name: str
    attorneys: tuple[str, ...]
    reply_to: str
    inbox_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one recipient, before it is put into words.

    Attributes:
        template: the folder in ``templates/``.
        recipient: an email address.
        reply_to: display name and address; None when no header can hold it.
        context: what the template may say.
    """

    template: str
    recipient_role: RecipientRole
    recipient: str = field(repr=False)
    reply_to: tuple[str, str] | None = field(repr=False)
    context: Mapping[str, str | None] = field(repr=False)


def mails_for(recorded: RecordedEvent, firm: Firm) -> tuple[Mail, ...]:
    """The mails that an event means; none for most events."""
    match recorded.event:
        case LeadSubmitted() as submitted:
            return (_acknowledgement(submitted, firm), *_alerts(recorded, submitted, firm))
        case _:
            return ()


def _acknowledgement(lead: LeadSubmitted, firm: Firm) -> Mail:
    # Nothing that was typed goes to this address but a name: whoever fills in the form may
    # give somebody else's address, and the firm's server must not carry his message there.
    return Mail(
        template=ACKNOWLEDGEMENT,
        recipient_role="prospect",
        recipient=lead.email,
        reply_to=(firm.name, firm.reply_to),
        context={
            "name": greeted_name(lead.first_name, lead.last_name),
            "firm_name": firm.name,
            "reply_to": firm.reply_to,
            "mailto": _mailto(firm.reply_to),
        },
    )


def _alerts(recorded: RecordedEvent, lead: LeadSubmitted, firm: Firm) -> tuple[Mail, ...]:
    name = one_line(f"{lead.first_name} {lead.last_name}")
    answerable = _fits_header(lead.email)
    context = {
        "name": name,
        "email": one_line(lead.email, limit=320),
        "mailto": _mailto(lead.email),
        "phone": one_line(lead.phone) if lead.phone else None,
        "tel": "".join(c for c in lead.phone if c in "+0123456789") if lead.phone else None,
        "message": (paragraphs(lead.message) or None) if lead.message else None,
        "file_name": one_line(lead.resume.file_name),
        "file_size": human_size(lead.resume.size),
        "received": f"{recorded.time:%-d %B %Y, %H:%M} UTC",
        "lead_url": f"{firm.inbox_url}/leads/{recorded.lead_id}" if firm.inbox_url else None,
        "answers": name if answerable else None,
        "firm_name": firm.name,
    }
    return tuple(
        Mail(
            template=ALERT,
            recipient_role="attorney",
            recipient=attorney,
            reply_to=(name, lead.email) if answerable else None,
            context=context,
        )
        for attorney in firm.attorneys
    )


def _fits_header(email: str) -> bool:
    """Whether an attorney's mail may name the address in Reply-To.

    One that needs SMTPUTF8 would make the attorney's mail need it as well.
    """
    try:
        return not parse_address(email).needs_smtputf8
    except ImpossibleAddress:
        return False


def _mailto(address: str) -> str:
    """An address as it stands in a mailto link (RFC 6068)."""
    return quote(address, safe="@+")
