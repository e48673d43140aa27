"""Writing the read model: each batch in one transaction and one visit to a thread.

Through SQLAlchemy and aiosqlite a batch is some fifteen visits, each of which wakes a thread
and then the event loop.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import bindparam, select, update

from services.leads.projection.database import (
    ASSIGN,
    INSERT,
    MARK_REACHED_OUT,
    META_ID,
    PRAGMAS,
    SET_RESUME,
    written,
)
from services.leads.projection.erasing import Scrubber, erase_rows
from services.leads.projection.rows import Changes
from services.leads.projection.schema import projection_meta
from services.leads.projection.search import INSERT_SEARCH, search_rows

T = TypeVar("T")

_PASSED_OVER: Final = 2000
"""Events without a change before the position is written all the same: they are read again
when a process that was killed starts anew."""

_POSITION: Final = written(select(projection_meta.c.position))
_MOVE: Final = written(
    update(projection_meta)
    .where(projection_meta.c.id == bindparam("meta"))
    .values(position=bindparam("to"))
)


class Writer:
    """The one writer of a file."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread
        (self._written,) = connection.execute(_POSITION).fetchone()
        self._position = self._written
        self._scrubber = Scrubber(connection)

    async def apply(self, changes: Changes, position: int) -> None:
        """Write a batch and its position, both or neither; taking a batch twice changes nothing.

        A position alone, after events that show nowhere, may be written later.

        Raises:
            sqlite3.Error: nothing was written.
        """
        if changes or position - self._written > _PASSED_OVER:
            await _run(self._thread, lambda: self._write(changes, position))
        self._position = max(self._position, position)

    async def scrub(self) -> None:
        """Overwrite what rows that were erased have left in the file; it is tried again later.

        Reading goes on meanwhile, writing waits.
        """
        if self._scrubber.needed:
            await _run(self._thread, self._scrubber.scrub)

    def close(self) -> None:
        """Write the position if it is not, and close the file; to be called in the thread."""
        with suppress(sqlite3.Error):  # it is read again
            self._write(Changes(), self._position)
        self._connection.close()

    def _write(self, changes: Changes, position: int) -> None:
        # The search index would take a row twice: what the file holds already is left out.
        submitted = [row for row in changes.submitted if row["position"] > self._position]
        with self._connection as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            if submitted:
                transaction.executemany(INSERT, submitted)
                transaction.executemany(INSERT_SEARCH, search_rows(submitted))
            if changes.reached_out:
                transaction.executemany(MARK_REACHED_OUT, changes.reached_out)
            if changes.assigned:
                transaction.executemany(ASSIGN, changes.assigned)
            if changes.resumes:
                transaction.executemany(SET_RESUME, changes.resumes)
            if erase_rows(transaction, changes.erased):
                self._scrubber.need()
            if position > self._written:
                transaction.execute(_MOVE, {"meta": META_ID, "to": position})
        self._written = max(self._written, position)


@asynccontextmanager
async def open_writer(path: Path) -> AsyncIterator[Writer]:
    """Open a file that has its tables; closed only once what was begun is done.

    Raises:
        sqlite3.Error: it is damaged.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="projection") as thread:
        writer = await _run(thread, lambda: _open(path, thread))
        try:
            yield writer
        finally:
            thread.submit(writer.close)


def _open(path: Path, thread: ThreadPoolExecutor) -> Writer:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return Writer(connection, thread)
    except BaseException:
        connection.close()
        raise


async def _run(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
