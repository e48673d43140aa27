"""One process per database file: an advisory lock on a file beside it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DatabaseInUse(Exception):
    """Another process holds the database file."""


@contextmanager
def locked(database: Path, otherwise: str | None = None) -> Iterator[None]:
    """Hold the database for this process; the system lets go of it when the process dies.

    Args:
        database: The file; the lock is beside it.
        otherwise: What to say when another process holds it, in place of the usual words.

    Raises:
        DatabaseInUse: Another process holds it.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(otherwise or _usual(database)) from None
        yield
    finally:
        os.close(handle)


def _usual(database: Path) -> str:
    return (
        f"{database} is in use by a running leads service. Stop that service first,"
        " or give each replica a file of its own with LEADLOG_LEADS_DATABASE."
    )
