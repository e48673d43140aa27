"""`leadlog rebuild`: throw this replica's copy away and make it again from the log."""

import ssl
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Final

import nats
from nats.js import JetStreamContext

from libs.events.jetstream import JetStreamEventStore
from services.leads.projection.database import open_engine
from services.leads.projection.gate import PositionGate
from services.leads.projection.lock import locked
from services.leads.projection.projector import Projector, remove
from services.leads.projection.stream import read_identity
from services.leads.settings import LeadsSettings

OnProgress = Callable[[int, int], None]
"""Told the position reached and the position of the log's last message."""

_TIMEOUT: Final = 2.0
_RECONNECT_WAIT: Final = 0.5
_RECONNECTS: Final = 10


class _Silent:
    def projected(self, events: int) -> None:
        """Nobody listens."""

    def lag(self, events: int) -> None:
        """Nobody listens."""


async def rebuild(settings: LeadsSettings, on_progress: OnProgress = lambda *_: None) -> int:
    """Build a new database file beside the old one and put it in its place.

    The service that uses the file must not be running. If this is interrupted, the old file is
    still there, or there is none and the service makes one. Returns the position of the last
    event taken in.

    Raises:
        DatabaseInUse: The service is running; the message says what to do.
        StoreUnavailable: The log cannot be read.
        nats.errors.Error, OSError: NATS cannot be reached.
    """
    with locked(settings.database):
        fresh = Path(f"{settings.database}.rebuild")
        remove(fresh)
        client = await nats.connect(
            servers=settings.nats_url,
            user=settings.nats_user,
            password=settings.nats_password.get_secret_value() if settings.nats_password else None,
            name="leadlog-rebuild",
            inbox_prefix="_INBOX_leads",
            tls=_tls(settings.nats_tls_ca),
            connect_timeout=_TIMEOUT,
            reconnect_time_wait=_RECONNECT_WAIT,
            max_reconnect_attempts=_RECONNECTS,
        )
        try:
            position = await _build(client.jetstream(timeout=_TIMEOUT), fresh, on_progress)
        finally:
            await client.close()
        _put_in_place(fresh, settings.database)
        return position


def _put_in_place(fresh: Path, database: Path) -> None:
    # The old file's -wal must not outlive it: SQLite would read it into the new file.
    remove(database)
    fresh.replace(database)


async def _build(js: JetStreamContext, path: Path, on_progress: OnProgress) -> int:
    engine = open_engine(path)
    try:
        gate, identity = PositionGate(), partial(read_identity, js)
        stream = await identity()
        projector = Projector(JetStreamEventStore(js), engine, path, identity, gate, _Silent())
        async with aclosing(projector.follow(stream)) as batches:
            async for batch in batches:
                on_progress(batch.position, stream.last)
                if batch.caught_up:
                    break
        async with engine.connect() as connection:
            # Everything into the one file that is moved; no -wal is left beside it.
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return gate.position
    finally:
        await engine.dispose()


def _tls(ca: Path | None) -> ssl.SSLContext | None:
    return None if ca is None else ssl.create_default_context(cafile=str(ca))
