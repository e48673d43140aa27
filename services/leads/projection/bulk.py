"""Filling a new file from the beginning: faster than `database.apply`, and for nothing else.

Nobody reads the file yet and it is thrown away if anything fails, so it needs no journal and
no fsync until it is complete; and the search index is merged once, at the end.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import insert
from sqlalchemy.schema import CreateIndex, CreateTable

from services.leads.projection.database import (
    ASSIGN,
    INSERT,
    MARK_REACHED_OUT,
    META_ID,
    SET_RESUME,
    Meta,
    written,
)
from services.leads.projection.erasing import erase_rows, scrub
from services.leads.projection.rows import Changes, Row
from services.leads.projection.schema import INDEXES, metadata, projection_meta
from services.leads.projection.search import (
    BULK_DONE,
    BULK_SETTINGS,
    CREATE_SEARCH,
    INSERT_SEARCH,
    search_rows,
)

_PRAGMAS: Final = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA cache_size=-64000",  # KiB
    "PRAGMA temp_store=MEMORY",
)
_ROWS_AT_ONCE: Final = 20_000

OnStep = Callable[[int, int], None]
"""Told how many steps of how many are done."""


class BulkWriter:
    """A file that is being filled; a context manager that closes it.

    Args:
        path: Where it will be; nothing may be there.
        meta: What it says about itself; the position is set at the end.
    """

    def __init__(self, path: Path, meta: Meta) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it holds everybody's names and addresses
        self._path = path
        self._meta = meta
        self._waiting: list[Row] = []
        self._contacts: list[Row] = []
        self._assigned: list[Row] = []
        self._resumes: list[Row] = []
        self._erased: list[str] = []
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in _PRAGMAS:
            self._connection.execute(pragma)
        for table in metadata.sorted_tables:
            self._connection.execute(written(CreateTable(table)))
        self._connection.execute(CREATE_SEARCH)
        for setting in BULK_SETTINGS:
            self._connection.execute(setting)

    def __enter__(self) -> Self:
        """Nothing more is needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, changes: Changes) -> None:
        """Take a batch in; batches come in the order of the log, each once."""
        self._waiting += changes.submitted
        self._contacts += changes.reached_out
        self._assigned += changes.assigned
        self._resumes += changes.resumes
        self._erased += changes.erased
        lists = (self._waiting, self._contacts, self._assigned, self._resumes)
        if sum(map(len, lists)) >= _ROWS_AT_ONCE:
            self._write()

    def finish(self, position: int, on_step: OnStep = lambda *_: None) -> None:
        """Make the indexes and bring everything to the disk."""
        self._write()
        erased = erase_rows(self._connection, self._erased)
        steps = len(INDEXES) + 2
        for done, index in enumerate(INDEXES):
            on_step(done, steps)
            self._connection.execute(written(CreateIndex(index)))
        on_step(len(INDEXES), steps)
        for statement in BULK_DONE:
            self._connection.execute(statement)
        on_step(steps - 1, steps)
        self._insert_meta(position)
        if erased:
            scrub(self._connection)
        self._connection.close()
        with self._path.open("rb+") as file:
            os.fsync(file.fileno())
        on_step(steps, steps)

    def _write(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(INSERT, self._waiting)
        self._connection.executemany(INSERT_SEARCH, search_rows(self._waiting))
        self._connection.executemany(MARK_REACHED_OUT, self._contacts)
        self._connection.executemany(ASSIGN, self._assigned)
        self._connection.executemany(SET_RESUME, self._resumes)
        self._connection.execute("COMMIT")
        self._waiting, self._contacts, self._assigned, self._resumes = [], [], [], []

    def _insert_meta(self, position: int) -> None:
        values = {
            "id": META_ID,
            "fingerprint": self._meta.fingerprint,
            "position": position,
            "stream_created": self._meta.stream_created,
        }
        self._connection.execute(written(insert(projection_meta)), values)
