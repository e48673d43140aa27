"""Reads the list of leads from the projection: filters, order, pages.

A page is found in one of two ways, and the choice is what keeps it fast with a million leads:
sort the few leads that a filter leaves, or walk along the index of the wanted order and take
what fits. The first is slow when many fit, the second when hardly any does.
"""

from collections.abc import Callable, Collection, Sequence
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
    """How much work a page may be before another way is tried; all are numbers of leads.

    With a million leads, each step of a walk takes 0.1 microseconds while the index alone
    decides, and 2 when the lead's row must be read.

    Attributes:
        few: A filter that leaves so few has them sorted.
        glanced: A walk for words that many leads have reads so many rows.
        walked: A walk past all leads that cannot have the words goes so far.
        sorted: So many are sorted where a walk would take longer.
    """

    few: int = 1_500
    glanced: int = 2_000
    walked: int = 100_000
    sorted: int = 10_000


BOUNDS: Final = Bounds()

Rows = Sequence[Row[Any]]


async def one(engine: AsyncEngine, lead_id: UUID) -> Row[Any] | None:
    """Return the lead's row, or None."""
    async with engine.connect() as connection:
        found = await connection.execute(select(leads).where(leads.c.id == str(lead_id)))
        return found.one_or_none()


async def names(engine: AsyncEngine, lead_ids: Collection[str]) -> dict[str, str]:
    """Return the names of those leads that are there, by id."""
    columns = (leads.c.id, leads.c.first_name, leads.c.last_name)
    async with engine.connect() as connection:
        found = await connection.execute(select(*columns).where(leads.c.id.in_(lead_ids)))
        return {row.id: f"{row.first_name} {row.last_name}" for row in found}


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
        (listing.by_email, bounds.sorted),
        (listing.by_words, bounds.few),
        (listing.by_assignee, bounds.few),
        # With words every row is read on a walk as well, so sorting is worth it for longer.
        (listing.by_time, bounds.sorted if listing.words else bounds.few),
    ):
        positions = await _few(connection, select_few, most)
        if positions is not None:
            return await _all(connection, listing.among(positions))
    if listing.words:
        return await _with_words(connection, listing, bounds)
    return await _all(connection, listing.walk())


async def _with_words(connection: AsyncConnection, listing: Listing, bounds: Bounds) -> Rows:
    """Find the page of words that many leads may have: near, further on, or wherever."""
    for walk, steps in (
        (listing.walk, bounds.glanced),
        (listing.walk_among_candidates, bounds.walked),
    ):
        end = (await connection.execute(listing.place_after(steps))).one_or_none()
        rows = await _all(connection, walk(None if end is None else (end[0], end[1])))
        if len(rows) > listing.limit or end is None:
            return rows
    positions = await _few(connection, listing.by_words, bounds.sorted)
    if positions is not None:
        return await _all(connection, listing.among(positions))
    return await _all(connection, listing.walk_among_candidates())


async def _few(
    connection: AsyncConnection, select_few: Callable[[int], Select[Any] | None], most: int
) -> str | None:
    """Return the positions of so many leads at most; None when they are more, or unasked for."""
    statement = select_few(most + 1)
    if statement is None:
        return None
    count, positions = (await connection.execute(statement)).one()
    return positions if count <= most else None


async def _all(connection: AsyncConnection, statement: Select[Any]) -> Rows:
    rows: Rows = (await connection.execute(statement)).all()
    return rows
