"""Mails to attorneys about their accounts: left here by whoever means them, sent by the notifier.

A mail holds a link that lets somebody in, so it does not stay: the notifier erases it for
good once it is sent, and what nobody takes up is worthless with its link (docs/adr/0019).
"""

import asyncio
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.jetstream import ATTEMPT_SECONDS, publish, with_retries
from libs.events import new_id
from libs.events.topology import OUTBOX

Template = Literal["account_invitation", "password_reset", "security_notice"]
SUBJECTS: Final = "outbox.>"
_GONE: Final = 10057
"""What the server answers when the message to erase is not there."""


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
    """The stream OUTBOX."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context to its client

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

    async def erase(self, position: int) -> None:
        """Overwrite one message, so that no byte of it stays on disk; it need not exist.

        Raises:
            StoreUnavailable: JetStream does not answer.
        """

        async def attempt() -> None:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    # Without `no_erase` the server overwrites the record (a purge does not).
                    await self._js.delete_msg(OUTBOX, position)
            except NotFoundError:
                return
            except APIError as error:
                if error.err_code != _GONE:
                    raise

        await with_retries(self._client, attempt)
