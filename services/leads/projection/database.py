"""The SQLite file: how it is opened, what is read and written about the projection itself."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    bindparam,
    case,
    event,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from services.leads.lead import Status
from services.leads.projection.schema import INDEXES, leads, metadata, projection_meta
from services.leads.projection.search import CREATE_SEARCH, DROP_SEARCH

PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",  # readers and the one writer do not wait for each other
    "PRAGMA synchronous=NORMAL",  # a power failure may lose the newest rows: replayed from the log
    "PRAGMA secure_delete=ON",  # what is erased is overwritten
    "PRAGMA busy_timeout=5000",  # milliseconds
    "PRAGMA temp_store=MEMORY",
)
META_ID: Final = 1

# At level debug it writes every statement with its values: names and addresses.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

_NAMED: Final = sqlite.dialect(paramstyle="named")
_LATER: Final = frozenset(
    {
        *("reached_out_at", "reached_out_by", "channel", "note"),
        *("assigned_to", "assigned_position"),
        *("scan_verdict", "scan_signature", "resume_released", "resume_position"),
    }
)
_PENDING: Final[ColumnElement[str]] = literal_column(f"'{Status.PENDING.value}'")


def written(statement: Any, columns: list[str] | None = None) -> str:
    """Return a statement as text, for many rows at once.

    Executing the statement itself, SQLAlchemy would prepare each row's values one by one, which
    takes as long as SQLite does.
    """
    more = {} if columns is None else {"column_keys": columns}
    return str(statement.compile(dialect=_NAMED, **more))


INSERT: Final = written(
    upsert(leads).on_conflict_do_nothing(),
    [column.name for column in leads.c if column.name not in _LATER],
)
MARK_REACHED_OUT: Final = written(
    update(leads)
    .where(leads.c.id == bindparam("lead_id"), leads.c.status == _PENDING)
    .values(
        status=literal_column(f"'{Status.REACHED_OUT.value}'"),
        reached_out_at=bindparam("at"),
        reached_out_by=bindparam("by"),
        channel=bindparam("channel"),
        note=bindparam("note"),
    )
)
ASSIGN: Final = written(
    update(leads)
    .where(
        leads.c.id == bindparam("lead_id"),
        # The last one stands, also when an older one is taken in again.
        func.coalesce(leads.c.assigned_position, literal_column("0")) < bindparam("at_position"),
    )
    .values(assigned_to=bindparam("assignee"), assigned_position=bindparam("at_position"))
)
SET_RESUME: Final = written(
    update(leads)
    .where(
        leads.c.id == bindparam("lead_id"),
        func.coalesce(leads.c.resume_position, literal_column("0")) < bindparam("at_position"),
    )
    .values(
        # A release says nothing about what was found: that stays as it is.
        scan_verdict=func.coalesce(bindparam("verdict"), leads.c.scan_verdict),
        scan_signature=case(
            (bindparam("verdict").is_(None), leads.c.scan_signature),
            else_=bindparam("signature"),
        ),
        resume_released=bindparam("released"),
        resume_position=bindparam("at_position"),
    )
)


@dataclass(frozen=True, slots=True)
class Meta:
    """What the file says about itself.

    Attributes:
        fingerprint: Of the schema it was made with.
        position: Of the last event it holds.
        stream_created: Which stream that position belongs to.
    """

    fingerprint: str
    position: int
    stream_created: str


def open_engine(path: Path, *, pool_size: int = 4) -> AsyncEngine:
    """Open (and create) the file; the caller disposes of the engine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # It holds everybody's names and addresses; SQLite gives its other files the same mode.
    path.touch(mode=0o600)
    path.chmod(0o600)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", pool_size=pool_size, max_overflow=0, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    return engine


async def read_meta(connection: AsyncConnection) -> Meta | None:
    """Return what the file says about itself; None when it says nothing legible."""
    columns = (
        projection_meta.c.fingerprint,
        projection_meta.c.position,
        projection_meta.c.stream_created,
    )
    try:
        row = (await connection.execute(select(*columns))).one_or_none()
    except DatabaseError:
        return None
    return Meta(*row) if row else None


async def recreate(connection: AsyncConnection, meta: Meta) -> None:
    """Drop everything and start empty, without indexes, in one transaction."""
    # Python's sqlite3 begins a transaction before INSERT and the like, but not before DDL.
    await connection.exec_driver_sql("BEGIN IMMEDIATE")
    await connection.exec_driver_sql(DROP_SEARCH)
    await connection.run_sync(metadata.drop_all)
    for table in metadata.sorted_tables:
        await connection.execute(CreateTable(table))
    await connection.exec_driver_sql(CREATE_SEARCH)
    await connection.execute(
        insert(projection_meta).values(
            id=META_ID,
            fingerprint=meta.fingerprint,
            position=meta.position,
            stream_created=meta.stream_created,
        )
    )
    await connection.commit()


async def complete(connection: AsyncConnection) -> None:
    """Make the indexes that are missing: an index over a full table is made ten times faster.

    Whoever reads the log from its start calls it once level with the log, and before anybody
    reads the file.
    """
    for index in INDEXES:
        await connection.execute(CreateIndex(index, if_not_exists=True))
    await connection.commit()
