"""Taking leads out of the read model so that nothing of them is left in its files.

`secure_delete` zeroes the rows themselves. It misses three places: FTS5 keeps what was deleted
until its pieces are merged; a page of a B-tree that was split keeps old copies of the rows it
gave away (2 of 100 erased leads were still legible in a file of 20,000, tried); and the
write-ahead log keeps every page it was given. So after an erasure the index is merged, the file is
written anew by VACUUM and the log is cut to nothing.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

import structlog

from services.leads.projection.search import DELETE_SEARCH, MERGE_SEARCH, search_rows

_FIND: Final = "SELECT position, search_text FROM leads WHERE id = ?"
_DELETE: Final = "DELETE FROM leads WHERE position = ?"
_MARK: Final = "PRAGMA user_version = 1"
_UNMARK: Final = "PRAGMA user_version = 0"

log = structlog.get_logger(__name__)


def erase_rows(connection: sqlite3.Connection, lead_ids: Iterable[str]) -> int:
    """Delete leads and their search entries; how many there were.

    Raises:
        sqlite3.Error: to be rolled back.
    """
    found = [row for lead_id in lead_ids for row in connection.execute(_FIND, (lead_id,))]
    rows = [{"position": position, "search_text": text} for position, text in found]
    connection.executemany(DELETE_SEARCH, search_rows(rows))
    connection.executemany(_DELETE, [(position,) for position, _ in found])
    return len(found)


def scrub(connection: sqlite3.Connection) -> None:
    """Write the file anew without what was deleted; outside of a transaction."""
    connection.execute(MERGE_SEARCH)
    connection.execute("VACUUM")


class Scrubber:
    """Sees to it that a file is scrubbed after an erasure, also across a restart.

    The file's `user_version` says that it has to be; it is set in the transaction that erases.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self.needed = version == 1
        self._written = False

    def need(self) -> None:
        """Note it, in the transaction under way."""
        self._connection.execute(_MARK)
        self.needed, self._written = True, False

    def scrub(self) -> None:
        """Do it; when somebody is in the way, the rest is done the next time."""
        try:
            if not self._written:
                scrub(self._connection)
                self._written = True
            (busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                return
            self._connection.execute(_UNMARK)
        except sqlite3.OperationalError as error:
            log.warning("the read model is not scrubbed yet", reason=type(error).__name__)
            return
        self.needed = False
        log.info("the read model is scrubbed after an erasure")
