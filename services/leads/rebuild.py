"""`leadlog rebuild`: make this replica's copy again from the log, while it serves."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.leads.projection import switch
from services.leads.projection.bulk import BulkWriter
from services.leads.projection.database import Meta
from services.leads.projection.feed import connected, feeding
from services.leads.projection.lock import locked
from services.leads.projection.schema import schema_fingerprint
from services.leads.projection.stream import StreamIdentity, read_identity
from services.leads.settings import LeadsSettings

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much of it is done."""

READING: Final = "Reading the log"
INDEXING: Final = "Making indexes"
SWITCHING: Final = "Switching"


async def rebuild(settings: LeadsSettings, on_progress: OnProgress = lambda *_: None) -> int:
    """Build a new database file beside the old one and put it in its place.

    A service that uses the file goes on serving from the old one, and keeps that up to date,
    until the new one is complete; then it switches (docs/adr/0009). If this is interrupted,
    the old file is as it was. Returns the position of the last event that was taken in here.

    Raises:
        DatabaseInUse: Another rebuild of this file is running.
        SwitchRefused: The service did not take the new file; the message says why.
        StoreUnavailable: The log cannot be read.
        nats.errors.Error, OSError: NATS cannot be reached.
    """
    fresh = Path(f"{settings.database}.rebuild")
    with locked(fresh, "Another `leadlog rebuild` is at work on this file: wait for it."):
        switch.remove(fresh)
        async with connected(settings) as js:
            stream = await read_identity(js)
        try:
            position = await asyncio.to_thread(_build, settings, fresh, stream, on_progress)
            on_progress(SWITCHING, 0, 1)
            await asyncio.to_thread(switch.hand_over, fresh, settings.database)
            on_progress(SWITCHING, 1, 1)
        finally:
            switch.remove(fresh)
        return position


def _build(
    settings: LeadsSettings, path: Path, stream: StreamIdentity, on_progress: OnProgress
) -> int:
    meta = Meta(schema_fingerprint(), 0, stream.created)
    position = 0
    with BulkWriter(path, meta) as writer, feeding(settings) as batches:
        for batch in batches:
            writer.add(batch.changes)
            position = batch.position
            on_progress(READING, position, max(stream.last, position))
        writer.finish(position, lambda done, steps: on_progress(INDEXING, done, steps))
    return position
