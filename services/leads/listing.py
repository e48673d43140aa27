"""The statements behind a page of the list (pure)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal_column, select, text, tuple_

from services.leads import cursors
from services.leads.models import NOBODY, LeadQuery
from services.leads.projection.rows import to_micros
from services.leads.projection.schema import leads
from services.leads.projection.search import candidates, has_word
from services.leads.text import email_key, fold

_SORT_COLUMNS: Final[dict[str, Any]] = {
    "submitted_at": leads.c.submitted_at,
    "last_name": leads.c.last_name_key,
    "email": leads.c.email_key,
}
_AMONG: Final = "position IN (SELECT value FROM json_each(:positions))"

Condition = ColumnElement[bool]
Place = tuple[str | int, int]
"""A sort key and the position that breaks ties."""


class Listing:
    """What a query asks for, taken apart.

    Args:
        query: The query.

    Attributes:
        column: What the list is sorted by; ties are broken by position.
        words: What each lead must have in its names or email, folded.
        limit: At most so many rows make a page; the statements ask for one more.
        fingerprint: Of filters and sort; a cursor carries it.

    Raises:
        BadCursor: The query's cursor is not one of this filter and sort.
    """

    def __init__(self, query: LeadQuery) -> None:
        name = query.sort.value.removeprefix("-")
        self._query = query
        self.limit = query.limit
        self._descending = query.sort.value.startswith("-")
        self.column = _SORT_COLUMNS[name]
        self.words = list(dict.fromkeys(fold(query.q or "").split()))
        self.fingerprint = cursors.fingerprint(
            query.model_dump(mode="json", exclude={"limit", "cursor"})
        )
        self._after = self._place_after()

    def by_words(self, most: int) -> Select[Any] | None:
        """Select the positions of leads that may have all words, and how many they are.

        At most so many; None when the query has no words.
        """
        if not self.words:
            return None
        return _counted(candidates(self.words, limit=most))

    def by_email(self, most: int) -> Select[Any] | None:
        """The same of leads with the wanted address; None when none is wanted."""
        if self._query.email is None:
            return None
        wanted = leads.c.email_key == email_key(self._query.email)
        return _counted(select(leads.c.position).where(wanted).limit(most))

    def by_assignee(self, most: int) -> Select[Any] | None:
        """The same of leads of the wanted account or nobody's; None when it does not matter."""
        if self._query.assigned_to is None:
            return None
        wanted = [*self._assignee(), *self._status()]
        return _counted(select(leads.c.position).where(*wanted).limit(most))

    def by_time(self, most: int) -> Select[Any] | None:
        """The same of leads of the wanted time, where the order is not by time anyway."""
        times = self._times(leads.c.submitted_at)
        if not times or self.column is leads.c.submitted_at:
            return None
        wanted = [*self._assignee(), *self._status(), *times]
        return _counted(select(leads.c.position).where(*wanted).limit(most))

    def among(self, positions: str) -> Select[Any]:
        """Select the page from leads with these positions (a JSON list) by sorting them."""
        among = text(_AMONG).bindparams(positions=positions)
        few = (
            select(leads.c.position)
            .where(among, *self._conditions(among=True), *self._from_place(among=True))
            .order_by(*self._order(among=True))
            .limit(self.limit + 1)
        )
        # In two steps, so that only the page's rows are read whole.
        return select(leads).where(leads.c.position.in_(few)).order_by(*self._order(among=True))

    def walk(self, until: Place | None = None) -> Select[Any]:
        """Select the page by walking along the index of the order, up to a place or its end."""
        conditions = [*self._conditions(), *self._from_place()]
        if until is not None:
            conditions.append(self._beyond(until, backwards=True))
        found = select(leads).where(*conditions).order_by(*self._order())
        return found.limit(self.limit + 1)

    def walk_among_candidates(self, until: Place | None = None) -> Select[Any]:
        """The same, past every lead that cannot have the words: each costs next to nothing."""
        return self.walk(until).where(_off(leads.c.position).in_(candidates(self.words)))

    def place_after(self, rows: int) -> Select[Any]:
        """Select the place in the order that many rows further on."""
        conditions = [*self._assignee(), *self._status_on_walk(), *self._from_place()]
        if self.column is leads.c.submitted_at:
            conditions += self._times(self.column)
        statement = select(self.column, leads.c.position).where(*conditions)
        return statement.order_by(*self._order()).offset(rows).limit(1)

    def _order(self, *, among: bool = False) -> Sequence[Any]:
        columns = [_off(self.column) if among else self.column, leads.c.position]
        return [column.desc() for column in columns] if self._descending else columns

    def _conditions(self, *, among: bool = False) -> list[Condition]:
        """All filters; only those that the walked index begins with may choose an index."""
        time, email = (
            column if column is self.column and not among else _off(column)
            for column in (leads.c.submitted_at, leads.c.email_key)
        )
        status = self._status(among=True) if among else self._status_on_walk()
        found = [*self._assignee(among=among), *status, *self._times(time)]
        if self._query.email is not None:
            found.append(email == email_key(self._query.email))
        return found + [has_word(leads.c.search_text, word) for word in self.words]

    def _status_on_walk(self) -> list[Condition]:
        """A walk among an assignee's leads passes over those that stand elsewhere."""
        return self._status(among=self._query.assigned_to is not None)

    def _assignee(self, *, among: bool = False) -> list[Condition]:
        wanted = self._query.assigned_to
        if wanted is None:
            return []
        column = _off(leads.c.assigned_to) if among else leads.c.assigned_to
        return [column.is_(None) if wanted == NOBODY else column == wanted]

    def _status(self, *, among: bool = False) -> list[Condition]:
        status, column = self._query.status, leads.c.status
        return [] if status is None else [(_off(column) if among else column) == status.value]

    def _times(self, column: ColumnElement[int]) -> list[Condition]:
        start, end = self._query.submitted_from, self._query.submitted_to
        found: list[Condition] = []
        if start is not None:
            found.append(column >= to_micros(start))
        if end is not None:
            found.append(column <= to_micros(end))
        return found

    def _place_after(self) -> Place | None:
        if self._query.cursor is None:
            return None
        value_type = int if self.column is leads.c.submitted_at else str
        cursor = cursors.decode(self._query.cursor, self.fingerprint, value_type)
        return cursor.value, cursor.position

    def _from_place(self, *, among: bool = False) -> list[Condition]:
        return [] if self._after is None else [self._beyond(self._after, among=among)]

    def _beyond(self, place: Place, *, backwards: bool = False, among: bool = False) -> Condition:
        column = _off(self.column) if among else self.column
        here, there = tuple_(column, leads.c.position), tuple_(*place)
        if backwards:
            return here >= there if self._descending else here <= there
        return here < there if self._descending else here > there


def _off(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column as a term that chooses no index: `+x` is x, and no column any more.

    Without it SQLite's planner, which knows nothing of how many rows fit, would at times read
    all leads of a year to sort them by name.
    """
    return literal_column(f"+{column.name}", column.type)


def _counted(positions: Any) -> Select[Any]:
    """Select how many positions there are, and all of them as one JSON list."""
    found = positions.subquery()
    return select(func.count(), func.json_group_array(found.c.position))
