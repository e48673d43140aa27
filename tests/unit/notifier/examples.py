"""Leads, mails and stand-ins for the notifier's unit tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry

from libs.chassis.buckets import Entry
from libs.events import LeadSubmitted, NewEvent, Part, RecordedEvent, ResumeRef, StoreUnavailable
from libs.events.memory import MemoryEventStore
from services.notifier.addresses import parse_address
from services.notifier.composing import Letter, Sender
from services.notifier.delivery import Desk
from services.notifier.ledger import Ledger
from services.notifier.metrics import MailMetrics
from services.notifier.policy import Firm
from services.notifier.rendering import Renderer

SUBMITTED_AT = datetime(2026, 3, 9, 14, 5, tzinfo=UTC)
NOW = datetime(2026, 3, 9, 14, 6, tzinfo=UTC)
LEAD_ID = UUID("01890000-0000-7000-8000-000000000001")
EVENT_ID = UUID("01890000-0000-7000-8000-000000000002")
FIRM = Firm(
    name="Harper & Lowe LLP",
    attorneys=("anna@firm.example", "ben@firm.example"),
    reply_to="office@firm.example",
    inbox_url="https://leads.firm.example",
)
SENDER = Sender("Harper & Lowe LLP", parse_address("no-reply@firm.example"))
PROSPECT = "jane.doe@example.com"


def submitted(**changes: Any) -> LeadSubmitted:
    resume = ResumeRef(
        object="o",
        file_name="cv jane.pdf",
        media_type="application/pdf",
        size=20_480,
        sha256="00" * 32,
    )
    fields: dict[str, Any] = {
        "first_name": "Jane",
        "last_name": "Doe",
        "email": PROSPECT,
        "phone": "+1 (555) 010-999",
        "message": "I need help.\nSoon.",
        "resume": resume,
    }
    return LeadSubmitted(**fields | changes)


def recorded(event: Any = None, **changes: Any) -> RecordedEvent:
    return RecordedEvent(
        event=event or submitted(**changes),
        id=EVENT_ID,
        time=SUBMITTED_AT,
        source="/leadlog/intake",
        actor="prospect",
        lead_id=LEAD_ID,
        part=Part.SUBMISSION,
        position=1,
    )


async def submit(store: MemoryEventStore, **changes: Any) -> RecordedEvent:
    """Put a submission into the log."""
    new = NewEvent(
        event=submitted(**changes),
        id=uuid4(),
        time=SUBMITTED_AT,
        source="/leadlog/intake",
        actor="prospect",
    )
    lead_id = uuid4()
    await store.append(lead_id, Part.SUBMISSION, [new], expected=0)
    (event,) = (await store.load(lead_id)).events
    return event


class MemoryBucket:
    """A bucket that may be away."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.failures = 0
        self.away = False
        self.questions = 0

    async def get(self, key: str) -> Entry | None:
        self.questions += 1
        value = self.values.get(key)
        return None if value is None else Entry(value, 1)

    async def any_under(self, prefix: str) -> bool:
        self.questions += 1
        if self.away:
            raise StoreUnavailable
        return any(key.startswith(f"{prefix}.") for key in self.values)

    async def put(self, key: str, value: bytes) -> int:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable
        self.values[key] = value
        return 1


class MemoryPostman:
    """Takes letters, or raises what it was told for a recipient."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.errors: dict[str, list[Exception]] = {}

    async def send(self, letter: Letter) -> str:
        errors = self.errors.get(letter.recipient)
        if errors:
            raise errors.pop(0)
        self.letters.append(letter)
        return "250 2.0.0 queued"

    @property
    def recipients(self) -> list[str]:
        return sorted(letter.recipient for letter in self.letters)


class MemoryDeadLetters:
    """Keeps dead letters by key, as the stream does."""

    def __init__(self) -> None:
        self.letters: dict[tuple[str, UUID, str | None], str] = {}
        self.failures = 0

    async def put(
        self, consumer: str, event: RecordedEvent, reason: str, *, key: str | None = None
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable
        self.letters.setdefault((consumer, event.id, key), reason)


@dataclass
class Office:
    """All stand-ins of one test."""

    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    bucket: MemoryBucket = field(default_factory=MemoryBucket)
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    postman: MemoryPostman = field(default_factory=MemoryPostman)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    folder: Path | None = None

    def __post_init__(self) -> None:
        self.metrics = MailMetrics(self.registry)

    def desk(self, now: Callable[[], datetime] = lambda: NOW) -> Desk:
        return Desk(
            store=self.store,
            ledger=Ledger(self.bucket),
            dead_letters=self.dead_letters,
            postman=self.postman,
            renderer=Renderer(self.folder) if self.folder else Renderer(),
            sender=SENDER,
            metrics=self.metrics,
            now=now,
        )

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    async def facts(self, event: RecordedEvent) -> list[Any]:
        history = await self.store.load(event.lead_id)
        return [entry.event for entry in history.events if entry.part is Part.MAIL]
