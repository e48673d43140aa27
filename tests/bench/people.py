"""Made-up leads, the same for the same seed: common and rare names, as registers have them."""
# ruff: noqa: S311 - nothing here is secret

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from uuid import UUID

from libs.events import (
    Channel,
    Event,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    NotificationSent,
    ResumeRef,
)

START = datetime(2023, 1, 1, tzinfo=UTC)
_MAILS = ("example.com",) * 5 + ("example.org", "example.net", "mail.example", "firm.example")
_MESSAGE = "I was let go last month, without notice, and would like to know whether I have a case. "
_SOURCES = {"prospect": "/leadlog/intake", "service:notifier": "/leadlog/notifier"}


def _names(random: Random, count: int, syllables: int) -> list[str]:
    ends = ("", "n", "r", "s", "l")
    found: dict[str, None] = {}
    while len(found) < count:
        parts = (
            random.choice("bcdfghjklmnprstvwz") + random.choice("aeiou") + random.choice(ends)
            for _ in range(syllables)
        )
        found["".join(parts).capitalize()] = None
    return list(found)


class People:
    """Prospects in the order of their submissions.

    The most common last name is that of 1 in 100; the last thousands have one person each.
    """

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)
        self._first = ["Åsa", "José", *_names(self._random, 2000, 2)]
        self._last = ["Zimmermann", "Smith", "Öberg", *_names(self._random, 20_000, 3)]
        self._first_weights = list(accumulate(1 / (rank + 10) for rank in range(len(self._first))))
        self._last_weights = list(accumulate(1 / (rank + 12) for rank in range(len(self._last))))
        self._now = START

    def submission(self) -> tuple[UUID, NewEvent]:
        """One more lead: its id and its first event."""
        random = self._random
        self._now += timedelta(microseconds=random.randrange(1, 180_000_000))
        lead_id = _uuid7(self._now, random)
        [first] = random.choices(self._first, cum_weights=self._first_weights)
        [last] = random.choices(self._last, cum_weights=self._last_weights)
        email = f"{first}.{last}{random.randrange(1000)}@{random.choice(_MAILS)}".lower()
        event = LeadSubmitted(
            first_name=first,
            last_name=last,
            email=email,
            phone=f"+49 30 {random.randrange(10**7):07}" if random.random() < 0.5 else None,
            message=_MESSAGE * random.randrange(4) or None,
            resume=ResumeRef(
                object=f"{lead_id}-{random.getrandbits(64):016x}",
                file_name="Curriculum Vitae.pdf",
                media_type="application/pdf",
                size=random.randrange(10_000, 900_000),
                sha256=f"{random.getrandbits(256):064x}",
            ),
        )
        return lead_id, self._new(event, lead_id, "prospect")

    def events(self, leads: int) -> Iterator[tuple[UUID, NewEvent]]:
        """Each lead's submission; 2 mails and, for 7 in 10, a contact some leads later."""
        waiting: list[UUID] = []
        for _ in range(leads):
            lead_id, submitted = self.submission()
            yield lead_id, submitted
            for role, mail in (("prospect", "ack"), ("attorney", "alert")):
                sent = NotificationSent(
                    template=mail,
                    recipient_role="prospect" if role == "prospect" else "attorney",
                    recipient="somebody@example.com",
                    message_id=f"<{lead_id}.{mail}@firm.example>",
                    smtp_reply="250 2.0.0 Ok: queued",
                )
                yield lead_id, self._new(sent, lead_id, "service:notifier")
            waiting.append(lead_id)
            if self._random.random() < 0.7:
                yield self.contact(waiting.pop(self._random.randrange(len(waiting))))

    def register(self, leads: int) -> Iterator[tuple[UUID, NewEvent]]:
        """Each lead's submission and, for 7 in 10, a contact: no mails."""
        for lead_id, new in self.events(leads):
            if not isinstance(new.event, NotificationSent):
                yield lead_id, new

    def contact(self, lead_id: UUID) -> tuple[UUID, NewEvent]:
        """An attorney's call."""
        event = LeadReachedOut(channel=Channel.PHONE, note="Left a message.")
        return lead_id, self._new(event, lead_id, "account:lena")

    def _new(self, event: Event, lead_id: UUID, actor: str) -> NewEvent:
        return NewEvent(
            event=event,
            id=UUID(int=self._random.getrandbits(128), version=4),
            time=self._now,
            source=_SOURCES.get(actor, "/leadlog/leads"),
            actor=actor,
            correlation_id=lead_id,
        )


def _uuid7(moment: datetime, random: Random) -> UUID:
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | random.getrandbits(62))
