"""Reads the list of leads from the projection: filters, order, pages.

A page is found in one of two ways, and the choice is what keeps it fast with a million leads:
sort the few leads that a filter leaves, or walk along the index of the wanted order and take
what fits. The first is slow when many fit, the second when hardly any does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.leads import cursors
from services.leads.cursors import Cursor
from services.leads.listing import Listing
from services.leads.models import LeadQuery
from services.leads.projection.schema import leads


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much work a page may be before another way is tried.

    Attributes:
        few_found: So many leads that words or an address leave are sorted; each one's row is
            read, which takes 2 microseconds.
        few_listed: So many leads of a time are sorted; fewer, since passing over a lead on a
            walk costs only a fiftieth of that: the indexes hold the time.
        walked: So many leads are looked at in order for words that many leads have.
    """

    few_found: int = 10_000
    few_listed: int = 2_000
    walked: int = 10_000


BOUNDS: Final = Bounds()

Rows = Sequence[Row[Any]]


async def one(engine: AsyncEngine, lead_id: UUID) -> Row[Any] | None:
    """Return the lead's row, or None."""
    async with engine.connect() as connection:
        found = await connection.execute(select(leads).where(leads.c.id == str(lead_id)))
        return found.one_or_none()


async def page(
    engine: AsyncEngine, query: LeadQuery, bounds: Bounds = BOUNDS
) -> tuple[Rows, str | None]:
    """Return one page of rows and the cursor of the next page, if there is one.

    Raises:
        BadCursor: The query's cursor is not one of this filter and sort.
    """
    listing = Listing(query)
    async with engine.connect() as connection:
        rows = await _rows(connection, listing, bounds)
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    last = rows[-1]._mapping  # noqa: SLF001 - SQLAlchemy's documented name
    place = Cursor(last[listing.column.name], last["position"])
    return rows, cursors.encode(place, listing.fingerprint)


async def _rows(connection: AsyncConnection, listing: Listing, bounds: Bounds) -> Rows:
    for select_few, most in (
        (listing.by_email, bounds.few_found),
        (listing.by_words, bounds.few_found),
        (listing.by_time, bounds.few_listed),
    ):
        statement = select_few(most + 1)
        if statement is None:
            continue
        count, positions = (await connection.execute(statement)).one()
        if count <= most:
            return await _all(connection, listing.among(positions))
    return await _walk(connection, listing, bounds)


async def _walk(connection: AsyncConnection, listing: Listing, bounds: Bounds) -> Rows:
    if not listing.words:
        return await _all(connection, listing.walk())
    horizon = (await connection.execute(listing.place_after(bounds.walked))).one_or_none()
    until = None if horizon is None else (horizon[0], horizon[1])
    rows = await _all(connection, listing.walk(until))
    if len(rows) > listing.limit or until is None:
        return rows
    # Many leads may have the words, and they are far on: rarely, all others are passed over.
    return await _all(connection, listing.walk_among_candidates())


async def _all(connection: AsyncConnection, statement: Select[Any]) -> Rows:
    rows: Rows = (await connection.execute(statement)).all()
    return rows
