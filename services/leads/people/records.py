"""What was erased, and what is being erased: lead ids, and nothing about anybody.

A record is written before anything is erased, so that whoever comes next can finish what a crash
has cut short; and it is kept for as long as a backup may bring the erased lead back.
"""

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict

from libs.chassis.buckets import Bucket
from libs.chassis.jetstream import get_batch

BUCKET: Final = "ERASURES"
SETTLES_AFTER: Final = timedelta(minutes=10)
"""A mail that was being sent in the moment of the erasure writes its outcome within this time; so
one more look is taken then."""
Reason = Literal["request", "retention", "restore"]


class Erasure(BaseModel):
    """The erasure of one lead.

    Attributes:
        started_at: when it was written down, UTC.
        objects: names of its resumes in the object store; empty once it is settled.
        event_ids: ids of its events, by which the mail ledger knows them; likewise.
        erased_at: when everything was gone, UTC.
        settled_at: when the last look was taken, UTC.
    """

    model_config = ConfigDict(frozen=True)

    lead_id: UUID
    reason: Reason
    started_at: datetime
    objects: frozenset[str] = frozenset()
    event_ids: frozenset[UUID] = frozenset()
    erased_at: datetime | None = None
    settled_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether something is left to do, and may be done now (pure)."""
        if self.settled_at is not None:
            return False
        return self.erased_at is None or now - self.erased_at >= SETTLES_AFTER


class Erasures:
    """The records; every call may raise StoreUnavailable."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._bucket = Bucket(js, BUCKET)

    async def get(self, lead_id: UUID) -> Erasure | None:
        """One lead's record."""
        entry = await self._bucket.get(str(lead_id))
        return None if entry is None else Erasure.model_validate_json(entry.value)

    async def put(self, erasure: Erasure) -> None:
        """Write a record."""
        await self._bucket.put(str(erasure.lead_id), erasure.model_dump_json().encode())

    async def all(self) -> list[Erasure]:
        """Every record, oldest first."""
        client = self._js._nc  # noqa: SLF001 - nats-py has no public way from a context
        messages = await get_batch(client, f"KV_{BUCKET}", f"$KV.{BUCKET}.>")
        return [Erasure.model_validate_json(message.data) for message in messages if message.data]
