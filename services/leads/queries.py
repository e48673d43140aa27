"""Reads the list of leads from the projection: filters, order, pages."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from services.leads import cursors
from services.leads.cursors import Cursor
from services.leads.models import LeadQuery, Sort
from services.leads.projection.rows import to_micros
from services.leads.projection.schema import leads
from services.leads.text import email_key, fold

_SORT_COLUMNS: Final[dict[str, Any]] = {
    "submitted_at": leads.c.submitted_at,
    "last_name": leads.c.last_name_key,
    "email": leads.c.email_key,
}
_TEXT_SORTS: Final = frozenset({"last_name", "email"})


async def one(engine: AsyncEngine, lead_id: UUID) -> Row[Any] | None:
    """Return the lead's row, or None."""
    async with engine.connect() as connection:
        found = await connection.execute(select(leads).where(leads.c.id == str(lead_id)))
        return found.one_or_none()


async def page(engine: AsyncEngine, query: LeadQuery) -> tuple[Sequence[Row[Any]], str | None]:
    """Return one page of rows and the cursor of the next page, if there is one.

    Raises:
        BadCursor: The query's cursor is not one of this filter and sort.
    """
    statement = select_page(query)
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    last = rows[-1]._mapping  # noqa: SLF001 - SQLAlchemy's documented name
    name, _ = _sort(query.sort)
    place = Cursor(last[_SORT_COLUMNS[name].name], last["id"])
    return rows, cursors.encode(place, _fingerprint(query))


def select_page(query: LeadQuery) -> Select[Any]:
    """Build the statement; it asks for one row more than the page, to see if there is a next.

    Raises:
        BadCursor: The query's cursor is not one of this filter and sort.
    """
    name, descending = _sort(query.sort)
    column = _SORT_COLUMNS[name]
    order = (column.desc(), leads.c.id.desc()) if descending else (column, leads.c.id)
    statement = select(leads).where(*_filters(query)).order_by(*order).limit(query.limit + 1)
    if query.cursor is None:
        return statement
    value_type = str if name in _TEXT_SORTS else int
    after = cursors.decode(query.cursor, _fingerprint(query), value_type)
    place, last = tuple_(column, leads.c.id), tuple_(after.value, after.row_id)
    return statement.where(place < last if descending else place > last)


def _sort(sort: Sort) -> tuple[str, bool]:
    return sort.value.removeprefix("-"), sort.value.startswith("-")


def _filters(query: LeadQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.status is not None:
        found.append(leads.c.status == query.status.value)
    if query.email is not None:
        found.append(leads.c.email_key == email_key(query.email))
    if query.submitted_from is not None:
        found.append(leads.c.submitted_at >= to_micros(query.submitted_from))
    if query.submitted_to is not None:
        found.append(leads.c.submitted_at <= to_micros(query.submitted_to))
    words = fold(query.q or "").split()
    found += [leads.c.search_text.contains(word, autoescape=True) for word in words]
    return found


def _fingerprint(query: LeadQuery) -> str:
    return cursors.fingerprint(query.model_dump(mode="json", exclude={"limit", "cursor"}))
