"""Whichever way a page is found, it is the page that going through all leads would give."""
# ruff: noqa: S311 - made-up leads, the same in every run

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.events import RecordedEvent
from services.leads import queries
from services.leads.listing import Listing
from services.leads.models import LeadQuery, Sort
from services.leads.projection import database
from services.leads.projection.database import Meta, open_engine
from services.leads.projection.rows import changes_of, to_micros
from services.leads.projection.search import expression_of, pieces_of
from services.leads.projection.writer import open_writer
from services.leads.queries import Bounds
from services.leads.text import email_key, fold
from tests.unit.leads.builders import START, Log, assigned, reached_out, submitted

FIRST = [
    "Åsa",
    "Li",
    "王",
    "José",
    "O'Neill",
    '"Q"',
    "50%",
    "a_b",
    "Zoë",
    "Ana-Maria",
    "ﬁona",
    "İpek",
]
LAST = [
    "Öberg",
    "Wu",
    "伟",
    "Núñez",
    "Smith",
    "smith",
    "Straße",
    "|a|b",
    "x",
    "Müller AND NOT",
    "*",
]
OWNERS = ["0190b1a2-0000-7000-8000-00000000000a", "0190b1a2-0000-7000-8000-00000000000b"]
MAILS = ["example.org", "example.net", "b.example"]
WAYS = [
    Bounds(),
    Bounds(few=0),
    Bounds(few=0, glanced=3),
    Bounds(few=0, glanced=1, walked=9, sorted=5),
    Bounds(few=5, glanced=1, walked=1),
    Bounds(few=0, glanced=1, walked=1, sorted=0),
]
WORDS = [
    *(
        "a",
        "o",
        "wu",
        "li",
        "王",
        "伟",
        "smi",
        "smith",
        "strasse",
        "zoe exa",
        "mith exam",
        '"',
        "'",
    ),
    *(
        "%",
        "_",
        "*",
        "and",
        "b.example",
        "fiona",
        "i",
        "|",
        "a|b",
        "ipek",
        "qq",
        "nothing",
        "e.n e.o",
    ),
    *("smithsmith", "ana-maria", "example example.net", "o'n", "-", "\\", "x" * 50, "  LI   wu "),
]


@dataclass
class World:
    engine: AsyncEngine
    leads: list[dict[str, Any]]

    def expected(self, query: LeadQuery) -> list[int]:
        """Go through all leads."""
        rows = [row for row in self.leads if fits(row, query)]
        name = query.sort.value.removeprefix("-")
        key = {"submitted_at": "submitted_at", "last_name": "last_name_key", "email": "email_key"}
        rows.sort(key=lambda row: (row[key[name]], row["position"]))
        ordered = reversed(rows) if query.sort.value.startswith("-") else rows
        return [row["position"] for row in ordered]

    async def found(self, query: LeadQuery, bounds: Bounds) -> list[int]:
        """Follow the cursor to the end."""
        positions: list[int] = []
        while True:
            rows, cursor = await queries.page(self.engine, query, bounds)
            positions += [row.position for row in rows]
            if cursor is None:
                return positions
            query = query.model_copy(update={"cursor": cursor})


def fits(row: dict[str, Any], query: LeadQuery) -> bool:
    at = row["submitted_at"]
    return (
        (query.assigned_to is None or (row["assigned_to"] or "none") == query.assigned_to)
        and (query.status is None or row["status"] == query.status.value)
        and (query.email is None or row["email_key"] == email_key(query.email))
        and (query.submitted_from is None or at >= to_micros(query.submitted_from))
        and (query.submitted_to is None or at <= to_micros(query.submitted_to))
        and all(word in row["search_text"] for word in fold(query.q or "").split())
    )


def some_events(random: Random, count: int) -> Sequence[RecordedEvent]:
    """Leads with few different names, times and addresses, so that there are ties."""
    log, events = Log(), []
    for _ in range(count):
        first, last = random.choice(FIRST), random.choice(LAST)
        mail = f"{random.choice('ab')}{random.randrange(4)}@{random.choice(MAILS)}"
        at = START + timedelta(days=random.randrange(8))
        event = replace(log.recorded(submitted(first, last, mail)), time=at)
        events.append(event)
        if random.random() < 0.3:
            events.append(log.recorded(reached_out(), event.lead_id))
        events += [
            log.recorded(assigned(random.choice([*OWNERS, None])), event.lead_id)
            for _ in range(random.choice([0, 0, 1, 2]))
        ]
    return events


@pytest.fixture(scope="module")
def events() -> Sequence[RecordedEvent]:
    return some_events(Random(7), 90)


@pytest.fixture
async def world(tmp_path: Path, events: Sequence[RecordedEvent]) -> AsyncIterator[World]:
    engine = open_engine(tmp_path / "leads.sqlite")
    changes = changes_of(events)
    done = {row["lead_id"] for row in changes.reached_out}
    owners = {row["lead_id"]: row["assignee"] for row in changes.assigned}
    async with engine.connect() as connection:
        await database.recreate(connection, Meta("f", 0, "now"))
        async with open_writer(tmp_path / "leads.sqlite") as writer:
            await writer.apply(changes, events[-1].position)
        await database.complete(connection)
    rows = [
        {
            **row,
            "status": "REACHED_OUT" if row["id"] in done else "PENDING",
            "assigned_to": owners.get(row["id"]),
        }
        for row in changes.submitted
    ]
    yield World(engine, rows)
    await engine.dispose()


@pytest.mark.parametrize("bounds", WAYS, ids=str)
async def test_words_are_found_wherever_they_stand(world: World, bounds: Bounds) -> None:
    random = Random(1)
    for words in WORDS:
        query = LeadQuery(q=words, sort=random.choice(list(Sort)), limit=random.choice([8, 200]))
        assert await world.found(query, bounds) == world.expected(query), query


@pytest.mark.parametrize("bounds", WAYS, ids=str)
@pytest.mark.parametrize("sort", list(Sort))
async def test_filters_words_and_orders_go_together(
    world: World, bounds: Bounds, sort: Sort
) -> None:
    random = Random(sort.value)
    for _ in range(15):
        day = START + timedelta(days=random.randrange(8))
        asked = {
            "status": random.choice([None, "PENDING", "REACHED_OUT"]),
            "assigned_to": random.choice([None, None, "none", *OWNERS]),
            "email": random.choice([None, None, None, "A1@example.org"]),
            "submitted_from": random.choice([None, day]),
            "submitted_to": random.choice([None, None, day + timedelta(days=2)]),
            "q": random.choice([None, *WORDS]),
        }
        query = LeadQuery(**asked, sort=sort, limit=random.choice([6, 30, 200]))
        assert await world.found(query, bounds) == world.expected(query), query


async def plan_of(engine: AsyncEngine, statement: Select[Any]) -> str:
    sql = statement.compile(engine.sync_engine, compile_kwargs={"literal_binds": True})
    async with engine.connect() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")).all()
    return " ".join(row[-1] for row in plan)


INDEX = {"submitted_at": "time", "last_name": "last_name", "email": "email"}
FILTERS: list[dict[str, Any]] = [
    {},
    {"q": "smith"},
    {"submitted_from": "2026-03-02"},
    {"submitted_from": "2026-03-02", "submitted_to": "2026-03-03", "q": "smith a"},
]


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("status", [None, "PENDING"])
@pytest.mark.parametrize("asked", FILTERS, ids=str)
async def test_a_walk_goes_along_the_index_of_its_order(
    world: World, sort: Sort, status: str | None, asked: dict[str, Any]
) -> None:
    query = LeadQuery(sort=sort, status=status, limit=1, **asked)
    _, cursor = await queries.page(world.engine, query)
    index = f"leads_by_{'status_and_' if status else ''}{INDEX[sort.value.removeprefix('-')]}"
    for page in (query, query.model_copy(update={"cursor": cursor})):
        listing = Listing(page)
        walks = [listing.walk(), listing.walk_among_candidates(), listing.place_after(1)]
        for walk in walks if listing.words else walks[:1]:
            plan = await plan_of(world.engine, walk)
            assert re.search(rf"leads USING (COVERING )?INDEX {index}( |$)", plan), plan
            assert "ORDER BY" not in plan


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("status", [None, "PENDING"])
@pytest.mark.parametrize("asked", FILTERS, ids=str)
@pytest.mark.parametrize("owner", ["none", OWNERS[0]])
async def test_a_walk_among_an_assignees_leads_reads_no_other_lead(
    world: World, sort: Sort, status: str | None, asked: dict[str, Any], owner: str
) -> None:
    query = LeadQuery(sort=sort, status=status, assigned_to=owner, limit=1, **asked)
    _, cursor = await queries.page(world.engine, query.model_copy(update={"q": None}))
    index = f"leads_by_assignee_and_{INDEX[sort.value.removeprefix('-')]}"
    first, later = query, query.model_copy(update={"q": None, "cursor": cursor})
    for page in (first, later):
        listing = Listing(page)
        walks = [listing.walk(), listing.walk_among_candidates(), listing.place_after(1)]
        for walk in walks if listing.words else walks[:1]:
            plan = await plan_of(world.engine, walk)
            assert re.search(rf"leads USING (COVERING )?INDEX {index} \(assigned_to=", plan), plan
            assert "ORDER BY" not in plan


@pytest.mark.parametrize("status", [None, "PENDING"])
async def test_an_assignees_leads_are_counted_in_an_index(world: World, status: str | None) -> None:
    listing = Listing(LeadQuery(sort=Sort.EMAIL, status=status, assigned_to=OWNERS[0]))
    counted = listing.by_assignee(10)

    assert counted is not None
    plan = await plan_of(world.engine, counted)
    both = r"assigned_to=\? AND status=\?" if status else r"assigned_to=\?"
    assert re.search(rf"COVERING INDEX leads_by_assignee_and_\w+ \({both}\)", plan), plan


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("status", [None, "PENDING"])
@pytest.mark.parametrize("asked", FILTERS, ids=str)
async def test_a_few_leads_are_read_by_their_positions(
    world: World, sort: Sort, status: str | None, asked: dict[str, Any]
) -> None:
    listing = Listing(LeadQuery(sort=sort, status=status, **asked))
    plan = await plan_of(world.engine, listing.among("[1,2,3]"))

    assert "leads_by" not in plan
    assert plan.count("SEARCH leads USING INTEGER PRIMARY KEY") == 2


def test_every_piece_that_is_asked_for_was_taken_in() -> None:
    random = Random(3)
    alphabet = "abc '\"%_|é王"
    for _ in range(300):
        content = "".join(random.choice(alphabet) for _ in range(random.randrange(1, 20)))
        start = random.randrange(len(content))
        word = content[start : start + random.randrange(1, 9)]
        for piece in expression_of([word]).split(" AND "):
            assert piece[1:-1].replace('""', '"') in pieces_of(content)
