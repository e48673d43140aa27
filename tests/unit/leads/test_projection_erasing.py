"""Erased leads leave the read model, in the service's way of writing it and in a rebuild's."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from libs.events import LeadErased
from services.leads.projection import database
from services.leads.projection.bulk import BulkWriter
from services.leads.projection.database import PRAGMAS, Meta, open_engine
from services.leads.projection.rows import Changes, changes_of
from services.leads.projection.schema import schema_fingerprint
from services.leads.projection.writer import open_writer
from tests.unit.leads.builders import Log, reached_out, submitted

META = Meta(schema_fingerprint(), 0, "2026-01-01")
STONE = LeadErased(reason="request", erased=())
NAMES = ["".join(Random(n).choices("abcdefghijklmnop", k=14)) for n in range(600)]  # noqa: S311
DOOMED = NAMES[::7]


def batches() -> list[tuple[Changes, int]]:
    """Many leads in a random order of names, so that pages are split; then some are erased."""
    log = Log()
    facts = [log.recorded(submitted(last_name=n, email=f"{n}@example.org")) for n in NAMES]
    ids = {name: fact.lead_id for name, fact in zip(NAMES, facts, strict=True)}
    facts += [log.recorded(reached_out(note=f"on {n} " * 20), ids[n]) for n in NAMES[::3]]
    facts += [log.recorded(STONE, ids[name]) for name in DOOMED]
    return [
        (changes_of(some), some[-1].position)
        for some in (facts[start : start + 20] for start in range(0, len(facts), 20))
    ]


def legible(path: Path, names: Iterable[str]) -> list[str]:
    files = [file.read_bytes() for file in path.parent.glob(f"{path.name}*")]
    return [name for name in names if any(name.encode() in content for content in files)]


async def filled(path: Path) -> None:
    engine = open_engine(path)
    async with engine.connect() as connection:
        await database.recreate(connection, META)
        await database.complete(connection)
    await engine.dispose()


def kept(path: Path) -> tuple[int, int]:
    """How many leads there are, and how many the search finds."""
    with sqlite3.connect(path) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM leads").fetchone()
        search = "SELECT count(*) FROM leads_search WHERE leads_search MATCH 'exa'"
        (found,) = connection.execute(search).fetchone()
    connection.close()
    return rows, found


async def test_no_byte_of_an_erased_lead_is_left(tmp_path: Path) -> None:
    path = tmp_path / "leads.sqlite"
    await filled(path)
    async with open_writer(path) as writer:
        for changes, position in batches():
            await writer.apply(changes, position)
        assert legible(path, DOOMED)
        await writer.scrub()
        assert legible(path, DOOMED) == []
    assert len(legible(path, NAMES)) == len(NAMES) - len(DOOMED)
    assert kept(path) == (len(NAMES) - len(DOOMED), len(NAMES) - len(DOOMED))


async def test_a_process_that_was_killed_before_it_scrubbed_does_so_later(tmp_path: Path) -> None:
    path = tmp_path / "leads.sqlite"
    await filled(path)
    async with open_writer(path) as writer:
        for changes, position in batches():
            await writer.apply(changes, position)
    assert legible(path, DOOMED)
    async with open_writer(path) as writer:
        await writer.scrub()
        assert legible(path, DOOMED) == []


async def test_a_reader_in_the_way_only_delays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = (*PRAGMAS, "PRAGMA busy_timeout=10")
    monkeypatch.setattr("services.leads.projection.writer.PRAGMAS", hasty)
    path = tmp_path / "leads.sqlite"
    await filled(path)
    async with open_writer(path) as writer:
        for changes, position in batches():
            await writer.apply(changes, position)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM leads").fetchone()
        await writer.scrub()
        assert legible(path, DOOMED)
        reader.close()
        await writer.scrub()
        assert legible(path, DOOMED) == []


def test_a_rebuild_that_meets_an_erasure_leaves_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "leads.sqlite"
    with BulkWriter(path, META) as writer:
        taken = batches()
        for changes, _ in taken:
            writer.add(changes)
        writer.finish(taken[-1][1])
    assert legible(path, DOOMED) == []
    assert kept(path) == (len(NAMES) - len(DOOMED), len(NAMES) - len(DOOMED))
