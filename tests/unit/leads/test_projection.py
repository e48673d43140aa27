"""The projection on a real SQLite file, fed from the in-memory log."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text

from libs.events import Event, LeadReachedOut, NotificationSent, Verdict, new_id
from libs.events.memory import MemoryEventStore
from services.leads.projection import database
from services.leads.projection.bulk import BulkWriter
from services.leads.projection.database import Meta, open_engine
from services.leads.projection.gate import NotThereYet, PositionGate
from services.leads.projection.projector import Projector, unusable_because
from services.leads.projection.rows import Changes, changes_of
from services.leads.projection.schema import leads, schema_fingerprint
from services.leads.projection.stream import StreamIdentity
from services.leads.projection.switch import Readers
from services.leads.projection.writer import open_writer
from tests.unit.leads.builders import (
    Log,
    assigned,
    new,
    reached_out,
    released,
    resume_scanned,
    submitted,
)

CREATED = "2026-01-01"


@dataclass
class Heard:
    events: int = 0
    lags: list[int] = field(default_factory=list)

    def projected(self, events: int) -> None:
        self.events += events

    def lag(self, events: int) -> None:
        self.lags.append(events)


@dataclass
class World:
    """A log, a file and what runs between them."""

    path: Path
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    created: str = CREATED
    heard: Heard = field(default_factory=Heard)
    gate: PositionGate = field(default_factory=PositionGate)

    async def identity(self) -> StreamIdentity:
        return StreamIdentity(self.created, await self.store.last_position())

    async def happened(self, *events: Event, lead_id: UUID | None = None) -> UUID:
        lead = lead_id or new_id()
        for event in events:
            history = await self.store.load(lead)
            await self.store.append(
                lead, event.part, [new(event)], expected=history.last(event.part)
            )
        return lead

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        engine = open_engine(self.path)
        self.gate = PositionGate()
        running = Projector(
            self.store,
            Readers(engine),
            self.path,
            self.identity,
            self.gate,
            self.heard,
            check_seconds=0,
        )
        task = asyncio.create_task(running.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await engine.dispose()

    async def level(self) -> None:
        await self.gate.wait(await self.store.last_position(), seconds=5)

    def rows(self) -> list[tuple[str, str]]:
        with sqlite3.connect(self.path) as connection:
            return connection.execute("select id, status from leads order by id").fetchall()

    def meta(self) -> tuple[str, int, str]:
        with sqlite3.connect(self.path) as connection:
            found: tuple[str, int, str] = connection.execute(
                "select fingerprint, position, stream_created from projection_meta"
            ).fetchone()
            return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "var" / "leads.sqlite")


async def test_leads_show_up_and_move_on(world: World) -> None:
    async with world.running():
        pending = await world.happened(submitted())
        done = await world.happened(submitted(), reached_out(note="spoke"))
        await world.level()

    assert dict(world.rows()) == {str(pending): "PENDING", str(done): "REACHED_OUT"}
    assert world.heard.events == 3
    assert world.meta() == (schema_fingerprint(), 3, CREATED)


async def test_both_ways_of_writing_take_in_what_is_known_of_a_resume(world: World) -> None:
    log, leads_of = Log(), [new_id() for _ in range(4)]
    scans = (resume_scanned(), released(), resume_scanned(Verdict.CLEAN))
    batches = [
        changes_of(
            log.recorded(event, lead)
            for number, lead in enumerate(leads_of)
            for event in (submitted(), *scans[:number])
        ),
        # Released in a later batch than it was scanned in.
        changes_of([log.recorded(released(), leads_of[1])]),
    ]
    bulk = world.path.with_name("bulk.sqlite")
    with BulkWriter(bulk, Meta(schema_fingerprint(), 0, CREATED)) as filling:
        for changes in batches:
            filling.add(changes)
        filling.finish(log.position)
    engine = open_engine(world.path)
    async with engine.connect() as connection:
        await database.recreate(connection, Meta(schema_fingerprint(), 0, CREATED))
    await engine.dispose()
    async with open_writer(world.path) as writer:
        for number, changes in enumerate(batches, 1):
            await writer.apply(changes, log.position - len(batches) + number)

    for path in (world.path, bulk):
        with sqlite3.connect(path) as file:
            found = file.execute(
                "select scan_verdict, scan_signature, resume_released from leads order by position"
            ).fetchall()
        assert found == [
            (None, None, None),
            ("infected", "Eicar", 1),
            ("infected", "Eicar", 1),
            ("clean", None, 0),
        ]


async def test_a_restart_goes_on_where_it_stopped(world: World) -> None:
    async with world.running():
        await world.happened(submitted())
        await world.level()
    await world.happened(submitted())
    async with world.running():
        await world.level()

    assert len(world.rows()) == 2
    assert world.heard.events == 2


async def test_the_same_events_twice_change_nothing(world: World) -> None:
    log, lead_id = Log(), new_id()
    mail = NotificationSent(
        template="t", recipient_role="prospect", recipient="p@example.org", message_id="m"
    )
    batch = [log.recorded(event, lead_id) for event in (submitted(), mail, reached_out(note="a"))]
    first, second = (log.recorded(assigned(one), lead_id) for one in ("a1", "b2"))
    scan, release = (log.recorded(one, lead_id) for one in (resume_scanned(), released()))
    batch += [second, scan, release]
    later = [log.recorded(reached_out(note="b"), lead_id, actor="account:b2"), first, scan]
    engine = open_engine(world.path)
    async with engine.connect() as connection:
        await database.recreate(connection, Meta(schema_fingerprint(), 0, CREATED))
        shots = []
        for events, position in ((batch, 3), (batch, 3), (later, 4), (batch, 3)):
            async with open_writer(world.path) as writer:
                await writer.apply(changes_of(events), position)
            rows = (await connection.execute(select(leads))).all()
            shots.append((rows, await database.read_meta(connection)))
    await engine.dispose()

    assert shots[0] == shots[1]
    assert shots[0][0] == shots[2][0] == shots[3][0]
    assert [meta.position for _, meta in shots if meta] == [3, 3, 4, 4]


async def test_mails_alone_move_the_position_by_the_end(world: World) -> None:
    log, lead_id = Log(), new_id()
    engine = open_engine(world.path)
    async with engine.connect() as connection:
        await database.recreate(connection, Meta(schema_fingerprint(), 0, CREATED))
    async with open_writer(world.path) as writer:
        await writer.apply(changes_of([log.recorded(submitted(), lead_id)]), 1)
        await writer.apply(Changes(), 2)
        assert world.meta()[1] == 1
        await writer.apply(changes_of([log.recorded(submitted(), lead_id)]), 2)
        assert world.meta()[1] == 2
        await writer.apply(Changes(), 2_003)
        assert world.meta()[1] == 2_003
        await writer.apply(Changes(), 2_005)
    assert world.meta()[1] == 2_005
    await engine.dispose()


async def test_a_batch_that_fails_leaves_no_position_behind(world: World) -> None:
    engine = open_engine(world.path)
    broken = changes_of([Log().recorded(submitted())])
    broken.submitted.append({**broken.submitted[0], "id": "other", "email": None})
    async with engine.connect() as connection:
        await database.recreate(connection, Meta(schema_fingerprint(), 0, CREATED))
    async with open_writer(world.path) as writer:
        with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
            await writer.apply(broken, 2)
    await engine.dispose()

    assert world.rows() == []
    assert world.meta()[1] == 0


def other_fingerprint(world: World) -> None:
    with sqlite3.connect(world.path) as connection:
        connection.execute("update projection_meta set fingerprint = 'of another version'")


def other_stream(world: World) -> None:
    world.created = "2026-02-02"


def ahead_of_the_stream(world: World) -> None:
    with sqlite3.connect(world.path) as connection:
        connection.execute("update projection_meta set position = 1000000")


def no_meta(world: World) -> None:
    with sqlite3.connect(world.path) as connection:
        connection.execute("drop table projection_meta")


def damaged(world: World) -> None:
    world.path.write_bytes(b"this is not a database at all, not even nearly" * 100)


@pytest.mark.parametrize(
    "spoil", [other_fingerprint, other_stream, ahead_of_the_stream, no_meta, damaged]
)
async def test_an_unusable_file_is_rebuilt(world: World, spoil: Callable[[World], None]) -> None:
    async with world.running():
        lead = await world.happened(submitted(), reached_out())
        await world.level()
    if spoil is not damaged:
        with sqlite3.connect(world.path) as connection:
            connection.execute(
                "insert into leads select 1000, 'ghost', status, first_name, last_name,"
                " email, phone, message, resume_object, resume_file_name, resume_media_type,"
                " resume_size, resume_sha256, submitted_at, reached_out_at, reached_out_by,"
                " channel, note, assigned_to, assigned_position, scan_verdict, scan_signature,"
                " resume_released, resume_position, email_key, last_name_key, search_text"
                " from leads"
            )
    spoil(world)
    async with world.running():
        await world.level()

    assert world.rows() == [(str(lead), "REACHED_OUT")]
    assert world.meta() == (schema_fingerprint(), 2, world.created)


async def test_a_stream_that_is_replaced_while_running_is_noticed(world: World) -> None:
    async with world.running():
        lead = await world.happened(submitted())
        await world.level()
        world.created = "2026-02-02"
        await world.happened(reached_out(), lead_id=lead)
        async with asyncio.timeout(10):
            while world.meta()[2] != "2026-02-02":  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.01)
            await world.level()

    assert world.rows() == [(str(lead), "REACHED_OUT")]
    assert world.heard.events == 4


def test_another_ddl_or_version_has_another_fingerprint() -> None:
    assert schema_fingerprint(1) == schema_fingerprint(1)
    assert schema_fingerprint(1) != schema_fingerprint(2)


def test_a_good_file_is_kept() -> None:
    meta = Meta(schema_fingerprint(), 5, CREATED)

    assert unusable_because(meta, StreamIdentity(CREATED, 5)) is None


async def test_waiting_for_a_position_ends_when_it_is_reached_and_no_sooner() -> None:
    gate = PositionGate()
    waiting = asyncio.create_task(gate.wait(7, seconds=5))
    await gate.advance(6, caught_up=True)
    assert not waiting.done()
    await gate.advance(7, caught_up=False)
    await waiting

    with pytest.raises(NotThereYet):
        await gate.wait(8, seconds=0.01)


async def test_nothing_is_served_before_the_log_was_read_once() -> None:
    gate = PositionGate()
    await gate.advance(100, caught_up=False)

    with pytest.raises(NotThereYet):
        await gate.wait(0, seconds=0.01)


async def test_erased_rows_are_overwritten_and_readers_do_not_block(world: World) -> None:
    engine = open_engine(world.path)
    async with engine.connect() as connection:
        settings = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("secure_delete", "journal_mode", "synchronous")
        }
    await engine.dispose()

    assert settings == {"secure_delete": 1, "journal_mode": "wal", "synchronous": 1}


def test_a_program_that_knows_more_events_does_not_go_on_with_an_older_ones_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = schema_fingerprint()
    monkeypatch.setattr(LeadReachedOut, "version", 2)
    assert schema_fingerprint() != before


async def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "leads.sqlite"
    engine = open_engine(path)
    async with engine.connect() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (x)")
        await connection.commit()
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    await engine.dispose()
