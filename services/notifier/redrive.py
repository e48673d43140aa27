"""A mail that was given up, once more: because an operator asked for it.

A redrive has an id of its own. The ledger and the history know the mail's new outcome under
that id, beside the old one, so the order can be handled again and again, by any replica, and
sends one mail.
"""

from collections.abc import Iterable
from typing import Final, Protocol
from uuid import UUID

import structlog

from libs.events import (
    LeadErased,
    RecordedEvent,
    RetryLater,
    StoreUnavailable,
    Undecodable,
    UnknownEvent,
)
from libs.events.letters import Letter, Order
from services.notifier.delivery import Desk, deliver, letter_key
from services.notifier.facts import MailHistory
from services.notifier.handler import MAX_UNEXPECTED, Notifier, RetryPolicy
from services.notifier.policy import Firm, Mail, mails_for
from services.notifier.smtp.answers import Deferred

_BUSY_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


class LetterBox(Protocol):
    """What a redrive needs of ``libs.events.letter_store.Letters``."""

    async def get(self, letter_id: str) -> Letter | None:
        """See Letters."""
        ...

    async def discard(self, letter_id: str) -> None:
        """See Letters."""
        ...

    async def update(self, letter: Letter, reason: str) -> None:
        """See Letters."""
        ...


class Redriver:
    """The handler of orders; safe to call again with the same one."""

    def __init__(
        self, desk: Desk, firm: Firm, retry: RetryPolicy, letters: LetterBox, notifier: Notifier
    ) -> None:
        self._desk, self._firm, self._retry = desk, firm, retry
        self._letters, self._notifier = letters, notifier
        self._in_hand: set[str] = set()

    async def handle(self, order: Order, attempt: int) -> None:
        """Work a letter off again: it goes when that works, else it says why not.

        Raises:
            RetryLater: the mail server does not take the mail now.
            StoreUnavailable: JetStream does not answer.
        """
        if order.letter in self._in_hand:
            raise RetryLater(_BUSY_SECONDS, "this letter is in hand")
        self._in_hand.add(order.letter)
        try:
            await self._handle(order, attempt)
        finally:
            self._in_hand.discard(order.letter)

    async def _handle(self, order: Order, attempt: int) -> None:
        letter = await self._letters.get(order.letter)
        if letter is None:
            return  # it has been worked off or discarded
        reason = await self._reason(letter, order.id, attempt)
        if reason is None:
            await self._letters.discard(letter.id)
        else:
            await self._letters.update(letter, reason)
        _log.info(
            "dead letter redriven",
            letter=letter.id,
            lead_id=str(letter.lead_id),
            delivered=reason is None,
            attempt=attempt,
        )

    async def _reason(self, letter: Letter, occasion: UUID, attempt: int) -> str | None:
        """Why the letter stays; None when there is nothing left to do for it."""
        try:
            event = letter.event()
        except (UnknownEvent, Undecodable) as error:
            return f"this version cannot read the event: {error}"
        try:
            return await self._again(letter, event, occasion, attempt)
        except Deferred as deferred:
            raise RetryLater(self._retry.delay(attempt), str(deferred)) from None

    async def _again(
        self, letter: Letter, event: RecordedEvent, occasion: UUID, attempt: int
    ) -> str | None:
        history = await self._desk.store.load(event.lead_id)
        if any(isinstance(known.event, LeadErased) for known in history.events):
            return None  # and the letter goes: nothing about this person may be kept
        if all(known.id != event.id for known in history.events):
            return "the event is not in the log any more"
        if letter.key is None:  # not one mail, but the handling of the event was given up
            await self._notifier.handle(event, attempt)
            return None
        mail = _find(letter.key, mails_for(event, self._firm))
        if mail is None:
            return "there is no such mail any more: its recipient is not told of leads now"
        mails = MailHistory(self._desk.store, event, history, occasion)
        return await self._deliver(event, mail, mails, attempt)

    async def _deliver(
        self, event: RecordedEvent, mail: Mail, history: MailHistory, attempt: int
    ) -> str | None:
        try:
            await deliver(self._desk, event, mail, history, attempt)
        except Exception as error:
            # What is known to pass is never given up.
            if isinstance(error, Deferred | StoreUnavailable) or attempt < MAX_UNEXPECTED:
                raise
            return f"unexpected: {type(error).__name__}"
        outcome = await self._desk.ledger.find(history.occasion, mail)
        return outcome.reason if outcome is not None and outcome.state == "failed" else None


def _find(key: str, mails: Iterable[Mail]) -> Mail | None:
    return next((mail for mail in mails if letter_key(mail) == key), None)
