"""The list's filters, orders and pages, on a real SQLite file."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.events import RecordedEvent
from services.leads import queries
from services.leads.models import LeadQuery, Sort
from services.leads.projection import database
from services.leads.projection.database import Meta, open_engine
from services.leads.projection.rows import changes_of, from_micros, to_micros
from services.leads.projection.writer import open_writer
from tests.unit.leads.builders import Log, reached_out, submitted

DAY = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE = [
    ("Åsa", "Öberg", "asa@example.se", DAY),
    ("José", "Núñez", "JOSE@Example.org", DAY + timedelta(hours=12)),
    ("100%", "O'Neill_Jr", "neill@example.org", DAY + timedelta(days=1)),
    ("Zoë", "adams", "zoe@example.org", DAY + timedelta(days=1, microseconds=1)),
    ("Zoë", "Adams", "zoe.b@example.org", DAY + timedelta(days=2)),
]


def people() -> list[RecordedEvent]:
    log = Log()
    return [
        replace(log.recorded(submitted(first, last, email), actor="prospect"), time=at)
        for first, last, email, at in PEOPLE
    ]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(tmp_path / "leads.sqlite")
    events = people()
    done = Log(position=10).recorded(reached_out(), events[1].lead_id)
    async with engine.connect() as connection:
        await database.recreate(connection, Meta("f", 0, "now"))
        async with open_writer(tmp_path / "leads.sqlite") as writer:
            await writer.apply(changes_of([*events, done]), 11)
        await database.complete(connection)
    yield engine
    await engine.dispose()


async def found(engine: AsyncEngine, **query: Any) -> list[str]:
    rows, _ = await queries.page(engine, LeadQuery.model_validate(query))
    return [row.email for row in rows]


EMAILS = [email for _, _, email, _ in PEOPLE]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, EMAILS[::-1]),
        ({"sort": "submitted_at"}, EMAILS),
        ({"status": "REACHED_OUT"}, EMAILS[1:2]),
        ({"status": "PENDING", "sort": "submitted_at"}, [EMAILS[0], *EMAILS[2:]]),
        ({"email": "jose@EXAMPLE.org"}, EMAILS[1:2]),
        ({"email": "jose"}, []),
        ({"submitted_to": "2026-03-01", "sort": "submitted_at"}, EMAILS[:2]),
        ({"submitted_from": "2026-03-02", "sort": "submitted_at"}, EMAILS[2:]),
        ({"submitted_from": "2026-03-02T01:00:00+01:00", "sort": "submitted_at"}, EMAILS[2:]),
        ({"submitted_from": "2026-03-02T00:00:00.000001Z", "sort": "submitted_at"}, EMAILS[3:]),
        ({"submitted_to": "2026-03-02T00:00:00Z", "sort": "submitted_at"}, EMAILS[:3]),
        ({"q": "asa OBERG"}, EMAILS[:1]),
        ({"q": "oberg example.se"}, EMAILS[:1]),
        ({"q": "oberg zoe"}, []),
        ({"q": "nunez"}, EMAILS[1:2]),
        ({"q": "%"}, EMAILS[2:3]),
        ({"q": "_"}, EMAILS[2:3]),
        ({"q": "\\"}, []),
        ({"q": "o'neill"}, EMAILS[2:3]),
        ({"q": "   ", "sort": "submitted_at"}, EMAILS),
        ({"sort": "email"}, sorted(EMAILS, key=str.casefold)),
        ({"sort": "-email"}, sorted(EMAILS, key=str.casefold, reverse=True)),
        ({"q": "zoe", "limit": 1}, EMAILS[4:5]),
    ],
)
async def test_what_a_query_finds(
    engine: AsyncEngine, query: dict[str, Any], expected: list[str]
) -> None:
    assert await found(engine, **query) == expected


async def test_names_are_sorted_without_case_and_accents(engine: AsyncEngine) -> None:
    rows, _ = await queries.page(engine, LeadQuery(sort=Sort.LAST_NAME))

    assert [row.last_name for row in rows][2:] == ["Núñez", "O'Neill_Jr", "Öberg"]
    assert {row.last_name for row in rows[:2]} == {"adams", "Adams"}


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("limit", [1, 2, 4])
async def test_pages_put_together_are_the_list(engine: AsyncEngine, sort: Sort, limit: int) -> None:
    whole, none = await queries.page(engine, LeadQuery(sort=sort))
    parts: list[Any] = []
    cursor: str | None = None
    while True:
        rows, cursor = await queries.page(engine, LeadQuery(sort=sort, limit=limit, cursor=cursor))
        parts += rows
        if cursor is None:
            break

    assert none is None
    assert parts == list(whole)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"submitted_from": "2026-03-01T00:00:00"},
        {"submitted_to": "soon"},
        {"submitted_to": "0.5"},
        {"submitted_to": "1770000000"},
        {"submitted_to": "2026-02-30"},
        {"submitted_from": "2026-W01-1"},
        {"sort": "id"},
        {"more": 1},
        {"email": ""},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LeadQuery.model_validate(query)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment
