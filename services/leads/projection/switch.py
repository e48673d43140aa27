"""Handing a new database file to whoever uses the old one, without a failed request.

The two sides meet in the file's folder. The rebuild offers a complete file by its name,
`<database>.next`, which it gets by a rename. The service looks for that name after each batch
of the log, so at least once a second. It reads the new file up to where the old one is, lets
the requests at work finish while later ones wait, and renames. When there is no service, the
rebuild finds the lock free and renames by itself. (docs/adr/0009)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.leads.projection.lock import DatabaseInUse, locked

_POLL_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 60.0
_FINISH_POLL_SECONDS: Final = 0.002


class SwitchRefused(Exception):
    """The service did not take the new file; the old one serves on."""


class Readers:
    """Lets requests use the database file, and lets the projector have it to itself.

    Args:
        engine: The file.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._reading = 0
        self._open = asyncio.Event()
        self._open.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncEngine]:
        """Use the file; waits while it is being replaced."""
        while not self._open.is_set():
            await self._open.wait()
        self._reading += 1
        try:
            yield self.engine
        finally:
            self._reading -= 1

    @asynccontextmanager
    async def replacing(self) -> AsyncIterator[None]:
        """Have the file closed and to oneself; requests wait meanwhile.

        A connection that outlived this would remove the new file's log on its own close:
        SQLite finds that file by name.
        """
        self._open.clear()
        try:
            while self._reading or self.engine.pool.checkedout():  # type: ignore[attr-defined]  # noqa: ASYNC110 - the pool has no event
                await asyncio.sleep(_FINISH_POLL_SECONDS)
            await self.engine.dispose()
            yield
        finally:
            self._open.set()


def offered(database: Path) -> Path | None:
    """Return the file that waits to replace this one, if there is one."""
    path = Path(f"{database}.next")
    return path if path.exists() else None


def refuse(database: Path, reason: str) -> None:
    """Throw the offered file away and say why."""
    Path(f"{database}.refused").write_text(reason)
    remove(Path(f"{database}.next"))


def put_in_place(path: Path, database: Path) -> None:
    """Make a file the database; nobody may have either open."""
    # The old file's -wal must not outlive it: SQLite would read it into the new file.
    remove(Path(database), only_beside=True)
    path.replace(database)


def remove(path: Path, *, only_beside: bool = False) -> None:
    """Delete a database file and what SQLite keeps beside it."""
    for suffix in ("-wal", "-shm", "-journal") if only_beside else ("-wal", "-shm", "-journal", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def hand_over(fresh: Path, database: Path) -> None:
    """Put a complete file in the place of the database, through the service if one runs.

    It blocks until that is done.

    Raises:
        SwitchRefused: The service would not have it, or did not react within a minute.
    """
    refusal, offer = Path(f"{database}.refused"), Path(f"{database}.next")
    refusal.unlink(missing_ok=True)
    remove(offer)
    fresh.replace(offer)
    end = monotonic() + _PATIENCE_SECONDS
    while offer.exists():
        if _replaced_by_ourselves(offer, database):
            return
        if monotonic() > end:
            remove(offer)
            raise SwitchRefused("The service that uses the file did not react within a minute.")
        sleep(_POLL_SECONDS)
    if refusal.exists():
        reason = refusal.read_text()
        refusal.unlink(missing_ok=True)
        raise SwitchRefused(reason)


def _replaced_by_ourselves(offer: Path, database: Path) -> bool:
    try:
        with locked(database):
            put_in_place(offer, database)
    except DatabaseInUse:
        return False
    return True
