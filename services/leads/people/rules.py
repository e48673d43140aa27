"""The retention rule as it is kept, and whom a read model says it is about."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.chassis.buckets import Entry
from services.leads.people.retention import KEY, Rule
from services.leads.projection.rows import to_micros
from services.leads.projection.schema import leads


class Settings(Protocol):
    """What is needed of the bucket SETTINGS."""

    async def get(self, key: str) -> Entry | None:
        """See ``libs.chassis.buckets.Bucket``."""
        ...


async def read_rule(settings: Settings) -> Rule:
    """The rule; off as long as nobody has set one.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    entry = await settings.get(KEY)
    return Rule() if entry is None else Rule.model_validate_json(entry.value)


async def due_in_read_model(
    engine: AsyncEngine, rule: Rule, now: datetime, *, limit: int
) -> list[UUID]:
    """Whose time has come, oldest first, so many at most."""
    submitted, reached_out = rule.submitted_before(now), rule.reached_out_before(now)
    either = [
        column < to_micros(before)
        for column, before in (
            (leads.c.submitted_at, submitted),
            (leads.c.reached_out_at, reached_out),
        )
        if before is not None
    ]
    if not either:
        return []
    statement = select(leads.c.id).where(or_(*either)).order_by(leads.c.position).limit(limit)
    async with engine.connect() as connection:
        return [UUID(found) for found in (await connection.execute(statement)).scalars()]
