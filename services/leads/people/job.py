"""The task that finishes erasures, takes the last look at them, and keeps the retention rule."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import nats.errors
import structlog
from aiohttp import web
from nats.js.errors import APIError

from libs.audit import AuditEntry, AuditLog
from libs.chassis.buckets import Bucket
from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats import JETSTREAM, wait_connected
from libs.chassis.tasks import still_wanted
from services.leads.audit import AUDIT_LOG
from services.leads.keys import GATE, READERS
from services.leads.people.erase import Eraser
from services.leads.people.lease import take_lease
from services.leads.people.read_model import due_in_read_model
from services.leads.people.records import Reason
from services.leads.people.retention import Rule
from services.leads.people.rules import read_rule
from services.leads.settings import LeadsSettings

ACTOR: Final = "service:leads"
AT_ONCE: Final = 50
"""Leads in one run: a run takes seconds, and whoever is stopped in it goes on with the rest."""
_LEASES_PER_INTERVAL: Final = 3
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What one run does.

    Attributes:
        due: the leads whose time has come by a rule, so many at most.
    """

    eraser: Eraser
    settings: Bucket
    due: Callable[[Rule, int], Awaitable[list[UUID]]]
    holder: str
    lease: timedelta

    async def run(self, now: datetime) -> list[UUID]:
        """One run, if no other replica is at it; whom the rule has erased.

        Raises:
            StoreUnavailable: JetStream does not answer; the next run makes up for it.
        """
        if not await take_lease(self.settings, self.holder, now, self.lease):
            return []
        await self.eraser.resume()
        rule = await read_rule(self.settings)
        if rule.is_off:
            return []
        return await self.eraser.erase(await self.due(rule, AT_ONCE), "retention")


async def look_after_people(app: web.Application, settings: LeadsSettings) -> None:
    """Run at each interval, until cancelled."""
    await wait_connected(app)
    job = _job(app, settings.erasures_interval_seconds)
    while True:
        still_wanted()
        erased: list[UUID] = []
        try:
            if app[GATE].ready:
                erased = await job.run(datetime.now(UTC))
        except (StoreUnavailable, APIError, nats.errors.Error, TimeoutError) as error:
            _log.warning("erasures wait", reason=type(error).__name__)
        if len(erased) < AT_ONCE:
            await asyncio.sleep(settings.erasures_interval_seconds)


def _job(app: web.Application, seconds: float) -> Job:
    js = app[JETSTREAM]

    async def due(rule: Rule, limit: int) -> list[UUID]:
        async with app[READERS].reading() as engine:
            return await due_in_read_model(engine, rule, datetime.now(UTC), limit=limit)

    return Job(
        eraser=Eraser(js, _noting(app[AUDIT_LOG]), actor=ACTOR),
        settings=Bucket(js, "SETTINGS"),
        due=due,
        holder=str(uuid4()),
        lease=timedelta(seconds=_LEASES_PER_INTERVAL * seconds),
    )


def _noting(trail: AuditLog) -> Callable[[UUID, Reason], Awaitable[None]]:
    async def note(lead_id: UUID, reason: Reason) -> None:
        entry = AuditEntry(
            action="person.erased",
            actor=ACTOR,
            target=f"lead:{lead_id}",
            details={"reason": reason},
        )
        await trail.record(entry)

    return note
