"""What the notifier does with one event: all its mails side by side, each on its own."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from libs.events import RecordedEvent, RetryLater, StoreUnavailable
from libs.events.backoff import full_jitter
from services.notifier.composing import message_id
from services.notifier.delivery import Desk, deliver, failure, give_up, letter_key
from services.notifier.facts import MailHistory
from services.notifier.policy import Firm, Mail, mails_for
from services.notifier.smtp.answers import Deferred

MAX_UNEXPECTED: Final = 8
_BUSY_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Full jitter: the n-th retry comes within ``base * 2**(n-1)`` seconds, at most ``cap``."""

    base: float = 2.0
    cap: float = 300.0

    def delay(self, attempt: int) -> float:
        """Seconds until the next attempt."""
        return full_jitter(attempt, self.base, self.cap)


class Notifier:
    """The handler of the consumer ``notifier``; safe to call again with the same event."""

    def __init__(self, desk: Desk, firm: Firm, retry: RetryPolicy) -> None:
        self._desk = desk
        self._firm = firm
        self._retry = retry
        self._in_hand: set[UUID] = set()
        self._failures: Counter[tuple[UUID, str]] = Counter()
        """How often a mail has failed in a way nobody foresaw, until it ends."""

    async def handle(self, event: RecordedEvent, attempt: int) -> None:
        """Send the mails that an event means.

        Raises:
            RetryLater: some of them are not done with.
        """
        mails = mails_for(event, self._firm)
        if not mails:
            return
        if event.id in self._in_hand:
            # Delivered again while the first delivery is still at work: the connection to
            # NATS was away for longer than the consumer waits for a sign of life.
            raise RetryLater(_BUSY_SECONDS, "this event is in hand")
        self._in_hand.add(event.id)
        try:
            await self._handle(event, mails, attempt)
        finally:
            self._in_hand.discard(event.id)

    async def _handle(self, event: RecordedEvent, mails: tuple[Mail, ...], attempt: int) -> None:
        try:
            history = await MailHistory.load(self._desk.store, event)
            blank = not await self._desk.ledger.knows(history.occasion)
        except StoreUnavailable:
            raise RetryLater(self._retry.delay(attempt), "JetStream does not answer") from None
        waiting = await asyncio.gather(
            *(self._one(event, mail, history, attempt, blank=blank) for mail in mails)
        )
        reasons = [reason for reason in waiting if reason]
        if reasons:
            raise RetryLater(
                self._retry.delay(attempt),
                f"{len(reasons)} of {len(mails)} mails wait: {reasons[0]}",
            )

    async def _one(
        self,
        event: RecordedEvent,
        mail: Mail,
        history: MailHistory,
        attempt: int,
        *,
        blank: bool,
    ) -> str | None:
        """Try one mail; why it has to wait, or None when it is done with."""
        try:
            await deliver(self._desk, event, mail, history, attempt, blank=blank)
        except Deferred as deferred:
            return self._wait(event, mail, attempt, str(deferred), deferred)
        except StoreUnavailable:
            return self._wait(event, mail, attempt, "JetStream does not answer")
        except Exception as error:  # noqa: BLE001 - a fault of one mail must not touch the others
            return await self._unexpected(event, mail, history, attempt, error)
        self._failures.pop((event.id, letter_key(mail)), None)
        return None

    def _wait(
        self,
        event: RecordedEvent,
        mail: Mail,
        attempt: int,
        reason: str,
        deferred: Deferred | None = None,
    ) -> str:
        self._desk.metrics.retried()
        _log.warning(
            "mail deferred",
            lead_id=str(event.lead_id),
            template=mail.template,
            recipient_role=mail.recipient_role,
            attempt=attempt,
            stage=deferred.stage.value if deferred else None,
            smtp_code=deferred.code if deferred else None,
        )
        return reason

    async def _unexpected(
        self,
        event: RecordedEvent,
        mail: Mail,
        history: MailHistory,
        attempt: int,
        error: Exception,
    ) -> str | None:
        _log.error(
            "a mail failed in an unexpected way",
            lead_id=str(event.lead_id),
            template=mail.template,
            attempt=attempt,
            exc_info=error,
        )
        # Deliveries also count the times the mail server was away; so failures are counted here.
        key = (event.id, letter_key(mail))
        self._failures[key] += 1
        if self._failures[key] < MAX_UNEXPECTED:
            self._desk.metrics.retried()
            return type(error).__name__
        identity = message_id(event.id, mail, self._desk.sender)
        outcome = failure(self._desk, identity, error, attempt)
        try:
            await give_up(self._desk, event, mail, history, outcome)
        except StoreUnavailable:
            return "JetStream does not answer"
        del self._failures[key]
        return None
