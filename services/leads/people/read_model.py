"""What a replica's read model knows of people: for the service, since commands read the log.

It stands alone so that a command need not load SQLAlchemy, which is half of the time it starts in.
"""

from datetime import datetime
from uuid import UUID

from nats.js import JetStreamContext
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.leads.people.find import in_letters
from services.leads.people.retention import Rule
from services.leads.projection.rows import to_micros
from services.leads.projection.schema import leads
from services.leads.text import email_key


async def in_read_model(engine: AsyncEngine, js: JetStreamContext, email: str) -> list[UUID]:
    """The person's leads as a replica knows them, which must be level with the log.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    wanted = select(leads.c.id).where(leads.c.email_key == email_key(email))
    async with engine.connect() as connection:
        rows = (await connection.execute(wanted.order_by(leads.c.position))).scalars().all()
    return list(dict.fromkeys([*map(UUID, rows), *await in_letters(js, email)]))


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
