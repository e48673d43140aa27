"""Writing what became of a mail into the lead's history."""

import asyncio
import random
from typing import Final
from uuid import UUID

from libs.events import (
    Conflict,
    Event,
    EventStore,
    History,
    LeadErased,
    NewEvent,
    NotificationFailed,
    NotificationSent,
    Part,
    RecordedEvent,
    StoreUnavailable,
)
from services.notifier.composing import mail_id
from services.notifier.ledger import Outcome
from services.notifier.policy import Mail

SOURCE: Final = "/leadlog/notifier"
ACTOR: Final = "service:notifier"
_TRIES: Final = 8
_PAUSE_SECONDS: Final = 0.1


class MailHistory:
    """The mail part of one lead's history, while one event is handled.

    The mails of the event run side by side and all write to this part, so they take turns.

    Attributes:
        occasion: what the mails' outcomes are known by: the event, or one redrive of it.
    """

    def __init__(
        self,
        store: EventStore,
        cause: RecordedEvent,
        history: History,
        occasion: UUID | None = None,
    ) -> None:
        self.occasion = occasion or cause.id
        self._store = store
        self._cause = cause
        self._turn = asyncio.Lock()
        self._last = 0
        self._known: set[UUID] = set()
        self._erased = False
        self._take(history)

    @classmethod
    async def load(cls, store: EventStore, cause: RecordedEvent) -> "MailHistory":
        """Read the history of the lead that an event is about.

        Raises:
            StoreUnavailable: the log did not answer.
        """
        return cls(store, cause, await store.load(cause.lead_id))

    def holds(self, mail: Mail) -> bool:
        """Whether the history says how this mail ended: if the person was erased, it never goes."""
        return self._erased or mail_id(self.occasion, mail) in self._known

    async def add(self, mail: Mail, outcome: Outcome) -> None:
        """Make sure that the history says how the mail ended.

        Raises:
            StoreUnavailable: the log did not answer, or others wrote to it all the time.
        """
        fact = _fact(self._cause, self.occasion, mail, outcome)
        async with self._turn:
            for _ in range(_TRIES):
                if self._erased or fact.id in self._known:
                    return
                try:
                    await self._append(fact)
                except Conflict:
                    # Another replica wrote, or what was read came from a replica that lags.
                    await asyncio.sleep(_PAUSE_SECONDS * random.random())  # noqa: S311 - jitter
                    self._take(await self._store.load(self._cause.lead_id))
        raise StoreUnavailable("the lead's history keeps changing")

    async def _append(self, fact: NewEvent) -> None:
        lead_id = self._cause.lead_id
        done = await self._store.append(lead_id, Part.MAIL, [fact], expected=self._last)
        self._last = max(self._last, done.position)
        self._known.add(fact.id)

    def _take(self, history: History) -> None:
        self._last = history.last(Part.MAIL)
        self._known = {e.id for e in history.events if e.part is Part.MAIL}
        self._erased = any(isinstance(e.event, LeadErased) for e in history.events)


def _fact(cause: RecordedEvent, occasion: UUID, mail: Mail, outcome: Outcome) -> NewEvent:
    return NewEvent(
        event=_event(mail, outcome),
        id=mail_id(occasion, mail),
        time=outcome.at,
        source=SOURCE,
        actor=ACTOR,
        causation_id=cause.id,
        correlation_id=cause.correlation_id or cause.id,
        traceparent=cause.traceparent,
    )


def _event(mail: Mail, outcome: Outcome) -> Event:
    if outcome.state == "sent":
        return NotificationSent(
            template=mail.template,
            recipient_role=mail.recipient_role,
            recipient=mail.recipient,
            message_id=outcome.message_id,
            smtp_reply=outcome.smtp_reply,
        )
    return NotificationFailed(
        template=mail.template,
        recipient_role=mail.recipient_role,
        recipient=mail.recipient,
        reason=outcome.reason or "refused",
        smtp_code=outcome.smtp_code,
        attempts=outcome.attempts,
    )
