"""Mails to attorneys about their accounts: sent once, then erased for good.

The order makes a crash harmless, as for other mails (``delivery.py``): the server takes the
mail, the ledger keeps that, and only then its message is overwritten and acknowledged. There
is no dead letter: it would keep the link. Whoever asked for the mail can ask again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Protocol
from uuid import UUID

import structlog
from jinja2 import TemplateError
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from pydantic import ValidationError

from libs.events import RetryLater
from libs.events.topology import OUTBOX
from libs.outbox import SUBJECTS, OutboxMail
from services.notifier.addresses import ImpossibleAddress
from services.notifier.composing import Sender, compose, message_id
from services.notifier.delivery import CONSUMER, Postman, uninterrupted
from services.notifier.handler import MAX_UNEXPECTED, RetryPolicy
from services.notifier.ledger import Ledger, Outcome
from services.notifier.metrics import MailMetrics
from services.notifier.outbox_words import has_expired, mail_of
from services.notifier.policy import Firm, Mail
from services.notifier.queue import work_off
from services.notifier.rendering import Renderer
from services.notifier.smtp.answers import Deferred, Refused, redacted

DURABLE: Final = f"{CONSUMER}-outbox"
_PAUSE_SECONDS: Final = 0.1
_MAX_PAUSE_SECONDS: Final = 30.0
_log = structlog.get_logger(__name__)


class Erasing(Protocol):
    """What is needed of ``libs.outbox.Outbox``."""

    async def erase(self, position: int) -> None:
        """See Outbox."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDesk:
    """All that the mails of the outbox need."""

    outbox: Erasing
    ledger: Ledger
    postman: Postman
    renderer: Renderer
    sender: Sender
    firm: Firm
    retry: RetryPolicy
    metrics: MailMetrics
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


async def send_outbox(js: JetStreamContext, desk: OutboxDesk) -> None:
    """Send what is in the outbox until cancelled."""
    clerk = Clerk(desk)

    async def settle(message: Msg) -> None:
        metadata = message.metadata
        await clerk.handle(message.data, metadata.sequence.stream, metadata.num_delivered)

    await work_off(js, OUTBOX, DURABLE, SUBJECTS, settle)


class Clerk:
    """The handler of the consumer ``notifier-outbox``; safe to call again with the same mail."""

    def __init__(self, desk: OutboxDesk) -> None:
        self._desk = desk
        self._failures: Counter[UUID] = Counter()
        """How often a mail has failed in a way nobody foresaw, until it ends."""

    async def handle(self, payload: bytes, position: int, attempt: int) -> None:
        """Bring a mail to its end and erase it.

        Raises:
            RetryLater: the mail server does not take it now.
            StoreUnavailable: JetStream does not answer.
        """
        try:
            mail = OutboxMail.model_validate_json(payload)
        except ValidationError:
            _log.error("a mail in the outbox cannot be read; it is erased", position=position)
        else:
            await self._settle(mail, attempt)
        await self._desk.outbox.erase(position)

    async def _settle(self, mail: OutboxMail, attempt: int) -> None:
        desk, meant = self._desk, mail_of(mail, self._desk.firm)
        if await desk.ledger.find(mail.id, meant) is not None:
            return
        if has_expired(mail, desk.now()):
            await self._give_up(mail, meant, "its link has expired", attempt)
            return
        try:
            await uninterrupted(self._send(mail, meant, attempt))
        except Deferred as deferred:
            desk.metrics.retried()
            _say("mail deferred", mail, attempt, smtp_code=deferred.code, stage=deferred.stage)
            raise RetryLater(desk.retry.delay(attempt), str(deferred)) from None
        except (Refused, ImpossibleAddress, TemplateError) as error:
            await self._give_up(mail, meant, _reason(error), attempt)
        except Exception as error:
            self._failures[mail.id] += 1
            if self._failures[mail.id] < MAX_UNEXPECTED:
                raise
            await self._give_up(mail, meant, f"unexpected: {type(error).__name__}", attempt)
        self._failures.pop(mail.id, None)

    async def _send(self, mail: OutboxMail, meant: Mail, attempt: int) -> Outcome:
        desk, started = self._desk, monotonic()
        rendered = desk.renderer.render(meant.template, meant.context)
        letter = compose(meant, rendered, sender=desk.sender, event_id=mail.id, now=desk.now())
        reply = await desk.postman.send(letter)
        desk.metrics.sent(meant.template, monotonic() - started)
        outcome = Outcome(
            state="sent",
            message_id=letter.message_id,
            at=desk.now(),
            smtp_reply=redacted(reply),
            attempts=attempt,
        )
        await self._record(mail, meant, outcome)
        _say("mail sent", mail, attempt, message_id=letter.message_id)
        return outcome

    async def _give_up(self, mail: OutboxMail, meant: Mail, reason: str, attempt: int) -> None:
        desk = self._desk
        outcome = Outcome(
            state="failed",
            message_id=message_id(mail.id, meant, desk.sender),
            at=desk.now(),
            reason=reason,
            attempts=attempt,
        )
        await self._record(mail, meant, outcome)
        desk.metrics.failed(meant.template)
        _log.error("mail given up", **_known(mail), reason=reason, attempt=attempt)

    async def _record(self, mail: OutboxMail, meant: Mail, outcome: Outcome) -> None:
        """Write to the ledger, however long it takes: what is sent must not go again."""
        pause = _PAUSE_SECONDS
        while True:
            try:
                await self._desk.ledger.record(mail.id, meant, outcome)
            except Exception as error:  # noqa: BLE001 - whatever it is, giving up means a repeat
                _log.warning("the mail ledger cannot be written; waiting", exc_info=error)
                await asyncio.sleep(pause)
                pause = min(_MAX_PAUSE_SECONDS, 2 * pause)
            else:
                return


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateError):
        return f"its template cannot be rendered: {error.message or type(error).__name__}"
    return str(error)


def _known(mail: OutboxMail) -> dict[str, str]:
    """What a log may say of a mail: neither address nor name nor link."""
    return {"template": mail.template, "account_id": mail.account_id, "mail_id": str(mail.id)}


def _say(event: str, mail: OutboxMail, attempt: int, **more: object) -> None:
    _log.info(event, **_known(mail), attempt=attempt, **more)
