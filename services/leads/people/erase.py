"""Erasing leads for good: safe to repeat, to do in several places, and to be killed in.

The order is what makes a crash harmless. First the record (bucket ERASURES), so that somebody
will come back; then `LeadErased`, which names what will be missing from the log; then
everything that the lead's events lead to; its events last, and of these the submission last.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from nats.js import JetStreamContext

from libs.chassis.erasing import erase_message, next_message
from libs.chassis.errors import StoreUnavailable
from libs.chassis.jetstream import StoredMessage
from libs.events import STREAM, Conflict, LeadErased, NewEvent, Part, new_id
from libs.events.jetstream import JetStreamEventStore
from libs.events.subjects import subject_of_lead
from libs.resumes import JetStreamResumeStore
from services.leads.people.plan import Plan, plan_of
from services.leads.people.records import Erasure, Erasures, Reason
from services.leads.people.traces import Marks, traces_of

_TRIES: Final = 8
_log = structlog.get_logger(__name__)
Audit = Callable[[UUID, Reason], Awaitable[None]]
"""Notes that a lead is erased, before it is."""


class Eraser:
    """Erases leads; every call may raise StoreUnavailable, and may then be repeated.

    Args:
        js: whoever this connects as must be allowed to erase (docs/personal-data.md).
        audit: called once for each lead.
        actor: who does it, as events name it.
        now: the time, UTC.
    """

    def __init__(
        self,
        js: JetStreamContext,
        audit: Audit,
        *,
        actor: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._js, self._audit, self._actor, self._now = js, audit, actor, now
        self._records = Erasures(js)
        self._store = JetStreamEventStore(js)
        self._resumes = JetStreamResumeStore(js)

    async def erase(self, lead_ids: Iterable[UUID], reason: Reason) -> list[UUID]:
        """Erase some leads; those of which there is anything."""
        begun = [await self._begin(lead_id, reason) for lead_id in dict.fromkeys(lead_ids)]
        records = [record for record in begun if record is not None]
        await self._finish(records)
        return [record.lead_id for record in records]

    async def resume(self) -> list[UUID]:
        """Finish what was cut short, and take the last look where it is time for it."""
        due = [record for record in await self._records.all() if record.is_due(self._now())]
        await self._finish(due)
        return [record.lead_id for record in due]

    async def _begin(self, lead_id: UUID, reason: Reason) -> Erasure | None:
        """Write down that the lead is being erased; None when the log does not know it."""
        plan = plan_of(await self._messages(lead_id))
        record = await self._records.get(lead_id)
        if not plan.doomed and (record is None or record.erased_at is not None):
            return None
        if record is None or record.erased_at is not None:
            await self._audit(lead_id, reason)
            record = Erasure(lead_id=lead_id, reason=reason, started_at=self._now())
        return await self._with_marks(record, plan)

    async def _with_marks(self, record: Erasure, plan: Plan) -> Erasure:
        wider = record.model_copy(
            update={
                "objects": record.objects | plan.objects,
                "event_ids": record.event_ids | plan.event_ids,
            }
        )
        await self._records.put(wider)
        return wider

    async def _finish(self, records: list[Erasure]) -> None:
        if not records:
            return
        message_ids: set[str] = set()
        for number, record in enumerate(records):
            plan = await self._announce(record)
            records[number] = await self._with_marks(record, plan)
            message_ids |= plan.message_ids
        marks = Marks(
            frozenset(record.lead_id for record in records),
            frozenset(event_id for record in records for event_id in record.event_ids),
            frozenset(message_ids),
        )
        for trace in await traces_of(self._js, marks):
            await erase_message(self._js, trace.stream, trace.message.sequence)
        for record in records:
            await self._finish_one(record)

    async def _finish_one(self, record: Erasure) -> None:
        for name in record.objects:
            await self._resumes.delete(name)
        await self._erase_events(record)
        now = self._now()
        if record.erased_at is None:
            done = record.model_copy(update={"erased_at": now})
            _log.info("lead erased", lead_id=str(record.lead_id), reason=record.reason)
        else:
            nothing: dict[str, object] = {"objects": frozenset(), "event_ids": frozenset()}
            done = record.model_copy(update={"settled_at": now, **nothing})
        await self._records.put(done)

    async def _announce(self, record: Erasure) -> Plan:
        """Make `LeadErased` name everything that the log has of the lead; what that is."""
        for _ in range(_TRIES):
            plan = plan_of(await self._messages(record.lead_id))
            if not plan.unannounced:
                return plan
            try:
                await self._append(record, plan)
            except Conflict:
                continue  # an attorney did something in this moment
        raise StoreUnavailable("others keep writing to a lead that is being erased")

    async def _append(self, record: Erasure, plan: Plan) -> None:
        fact = NewEvent(
            event=LeadErased(reason=record.reason, erased=plan.unannounced),
            id=new_id(),
            time=self._now(),
            source="/leadlog/leads",
            actor=self._actor,
            correlation_id=record.lead_id,
        )
        await self._store.append(record.lead_id, Part.HANDLING, [fact], expected=plan.last_handling)

    async def _erase_events(self, record: Erasure) -> None:
        """Erase the lead's messages until there is nothing but `LeadErased`."""
        for _ in range(_TRIES):
            plan = await self._announce(record)
            if not plan.doomed:
                return
            for sequence in plan.doomed:
                await erase_message(self._js, STREAM, sequence)
        raise StoreUnavailable("others keep writing to a lead that is being erased")

    async def _messages(self, lead_id: UUID) -> list[StoredMessage]:
        return await messages_of(self._js, lead_id)


async def messages_of(js: JetStreamContext, lead_id: UUID) -> list[StoredMessage]:
    """All messages of a lead, as the leader has them.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    found: list[StoredMessage] = []
    first, wanted = 1, subject_of_lead(lead_id)
    while (message := await next_message(js, STREAM, wanted, first)) is not None:
        found.append(message)
        first = message.sequence + 1
    return found
