"""Mails to attorneys about their accounts: left here by whoever means them, sent by the notifier.

A mail holds a link that lets somebody in, so it does not stay: the notifier erases it for
good once it is sent, and what nobody takes up is worthless with its link (docs/adr/0019).
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.jetstream import publish
from libs.events import new_id

Template = Literal["account_invitation", "password_reset", "security_notice"]
SUBJECTS: Final = "outbox.>"


class OutboxMail(BaseModel):
    """A mail that is to be sent.

    Attributes:
        account_id: whom it is about; all that a log may say of it.
        recipient: an email address.
        name: how to greet them.
        link: the one-time link; a notice needs none.
        expires_at: when the link ends, UTC; afterwards the mail is not sent any more.
        details: what the template says besides: ``invited_by`` (a name) for an invitation,
            ``notice`` (see services/notifier/outbox_words.py) and ``address`` for a notice.
        id: tells it from every other; the ledger against repeats knows it by this.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    template: Template
    account_id: str
    recipient: str = Field(repr=False)
    name: str = Field(repr=False)
    link: str | None = Field(None, repr=False)
    expires_at: datetime | None = None
    details: dict[str, str] = Field(default_factory=dict, repr=False)
    id: UUID = Field(default_factory=new_id)


class Outbox:
    """The stream OUTBOX, to write to."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def put(self, mail: OutboxMail) -> None:
        """Leave a mail; it is on disk when this returns.

        Raises:
            StoreUnavailable: JetStream did not take it in time; it may stand there all the same.
        """
        await publish(
            self._js,
            f"outbox.{mail.template}",
            mail.model_dump_json(exclude_none=True).encode(),
            {"Nats-Msg-Id": str(mail.id)},
        )
