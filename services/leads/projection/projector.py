"""Keeps the queryable copy level with the log, and starts it over when it has to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.chassis.errors import StoreUnavailable
from libs.events import Batch, EventStore
from services.leads.projection import database
from services.leads.projection.database import Meta
from services.leads.projection.gate import PositionGate
from services.leads.projection.rows import changes_of
from services.leads.projection.schema import schema_fingerprint
from services.leads.projection.stream import IdentityReader, StreamIdentity

_CHECK_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_BATCH: Final = 2000

log = structlog.get_logger(__name__)


class Progress(Protocol):
    """Hears what the projector does: metrics in the service, a bar in a command."""

    def projected(self, events: int) -> None:
        """So many events more are in."""

    def lag(self, events: int) -> None:
        """So far behind the log it is."""


def unusable_because(
    meta: Meta | None, stream: StreamIdentity, fingerprint: str | None = None
) -> str | None:
    """Return why the file must be dropped and rebuilt; None when it may be carried on with."""
    if meta is None:
        return "it is new or not legible"
    if meta.fingerprint != (fingerprint or schema_fingerprint()):
        return "its schema has changed"
    if meta.stream_created != stream.created:
        return "it was made from another stream"
    if meta.position > stream.last:
        return "it is ahead of the stream, which was restored to an earlier state"
    return None


class Projector:
    """Reads the log and writes the file; one per process.

    Args:
        store: The log.
        engine: The file.
        path: Where the file is, to remove it if it is damaged.
        identity: Tells which stream the log is.
        gate: Told of every step.
        progress: Told of every step, for people.
        check_seconds: How often to look whether the stream is still the same one.
    """

    def __init__(
        self,
        store: EventStore,
        engine: AsyncEngine,
        path: Path,
        identity: IdentityReader,
        gate: PositionGate,
        progress: Progress,
        *,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._store = store
        self._engine = engine
        self._path = path
        self._identity = identity
        self._gate = gate
        self._progress = progress
        self._check_seconds = check_seconds

    async def run(self) -> None:
        """Project until cancelled."""
        while True:
            stream = await self._wait_for_stream()
            async for _batch in self.follow(stream):
                pass

    async def follow(self, stream: StreamIdentity) -> AsyncGenerator[Batch]:
        """Project, handing out each batch once it is written, while the stream is this one."""
        await self._gate.restart(0)
        meta = await self._prepare(stream)
        await self._gate.restart(meta.position)
        loop = asyncio.get_running_loop()
        check_at = loop.time() + self._check_seconds
        async with (
            _closing(self._store.catch_up(after=meta.position, batch_size=_BATCH)) as batches,
            self._engine.connect() as connection,
        ):
            async for batch in batches:
                await database.apply(connection, changes_of(batch.events), batch.position)
                if batch.caught_up and not self._gate.ready:
                    await database.complete(connection)
                await self._gate.advance(batch.position, caught_up=batch.caught_up)
                self._progress.projected(len(batch.events))
                if batch.caught_up:
                    self._progress.lag(0)
                yield batch
                if loop.time() >= check_at:
                    check_at = loop.time() + self._check_seconds
                    if not await self._is_same(meta):
                        return

    async def _is_same(self, meta: Meta) -> bool:
        try:
            stream = await self._identity()
        except StoreUnavailable:
            return True  # nothing is known: carry on and ask again later
        self._progress.lag(max(0, stream.last - self._gate.position))
        now = Meta(meta.fingerprint, self._gate.position, meta.stream_created)
        return unusable_because(now, stream) is None

    async def _wait_for_stream(self) -> StreamIdentity:
        while True:
            try:
                return await self._identity()
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _prepare(self, stream: StreamIdentity) -> Meta:
        try:
            return await self._open(stream)
        except DatabaseError as error:
            log.warning("projection file is damaged and is removed", reason=type(error).__name__)
            await self._engine.dispose()
            remove(self._path)
            return await self._open(stream)

    async def _open(self, stream: StreamIdentity) -> Meta:
        async with self._engine.connect() as connection:
            meta = await database.read_meta(connection)
            reason = unusable_because(meta, stream)
            if meta is not None and reason is None:
                return meta
            log.info("projection is rebuilt from the log", reason=reason, events=stream.last)
            fresh = Meta(schema_fingerprint(), 0, stream.created)
            await connection.rollback()
            await database.recreate(connection, fresh)
            return fresh


def remove(path: Path) -> None:
    """Delete a database file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@asynccontextmanager
async def _closing(batches: AsyncIterator[Batch]) -> AsyncIterator[AsyncIterator[Batch]]:
    """End a subscription at once, and not when the garbage collector finds it."""
    try:
        yield batches
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()
