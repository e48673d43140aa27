"""Keeps the queryable copy level with the log, and starts it over when it has to."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import DatabaseError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.tasks import still_wanted
from libs.events import Batch, EventStore
from services.leads.projection import database, switch
from services.leads.projection.database import Meta, open_engine
from services.leads.projection.gate import PositionGate
from services.leads.projection.rows import PARTS, changes_of
from services.leads.projection.schema import schema_fingerprint
from services.leads.projection.stream import IdentityReader, StreamIdentity
from services.leads.projection.switch import Readers
from services.leads.projection.writer import open_writer

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
        readers: Who else uses the file.
        path: Where the file is, to remove it if it is damaged, and to replace it.
        identity: Tells which stream the log is.
        gate: Told of every step.
        progress: Told of every step, for people.
        check_seconds: How often to look whether the stream is still the same one.
    """

    def __init__(
        self,
        store: EventStore,
        readers: Readers,
        path: Path,
        identity: IdentityReader,
        gate: PositionGate,
        progress: Progress,
        *,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._store = store
        self._readers = readers
        self._path = path
        self._identity = identity
        self._gate = gate
        self._progress = progress
        self._check_seconds = check_seconds

    async def run(self) -> None:
        """Project until cancelled."""
        while True:
            still_wanted()
            stream = await self._wait_for_stream()
            async with aclosing(self.follow(stream)) as batches:
                async for _batch in batches:
                    if switch.offered(self._path):
                        break
            if offer := switch.offered(self._path):
                await self._adopt(offer)

    async def follow(self, stream: StreamIdentity) -> AsyncGenerator[Batch]:
        """Project, handing out each batch once it is written, while the stream is this one."""
        meta = await self._prepare(stream)
        await self._gate.resume(meta.position)
        loop = asyncio.get_running_loop()
        check_at = loop.time() + self._check_seconds
        async with (
            aclosing(
                self._store.catch_up(after=meta.position, parts=PARTS, batch_size=_BATCH)
            ) as batches,
            open_writer(self._path) as writer,
        ):
            async for batch in batches:
                await writer.apply(changes_of(batch.events), batch.position)
                if batch.caught_up and not self._gate.ready:
                    await self._complete()
                await self._gate.advance(batch.position, caught_up=batch.caught_up)
                self._progress.projected(len(batch.events))
                if batch.caught_up:
                    self._progress.lag(0)
                    await writer.scrub()
                yield batch
                if loop.time() >= check_at:
                    check_at = loop.time() + self._check_seconds
                    if not await self._is_same(meta):
                        return

    async def _complete(self) -> None:
        async with self._readers.engine.connect() as connection:
            await database.complete(connection)

    async def _adopt(self, offer: Path) -> None:
        """Replace the file with one that a rebuild has made, or refuse it."""
        stream = await self._wait_for_stream()  # as it is now: the rebuild may have read further
        engine = open_engine(offer)
        try:
            reason = await self._level(offer, Readers(engine), stream)
        except (DatabaseError, sqlite3.DatabaseError) as error:
            reason = f"it is damaged ({type(error).__name__})"
        finally:
            await engine.dispose()
        if reason is not None:
            log.warning("rebuilt projection is refused", reason=reason)
            switch.refuse(self._path, f"The service did not take the rebuilt file: {reason}.")
            return
        async with self._readers.replacing():
            switch.put_in_place(offer, self._path)
        log.info("projection is replaced by the rebuilt one", position=self._gate.position)

    async def _level(self, offer: Path, readers: Readers, stream: StreamIdentity) -> str | None:
        """Bring an offered file to where the own one is; why that cannot be, or None."""
        async with readers.engine.connect() as connection:
            reason = unusable_because(await database.read_meta(connection), stream)
        if reason is not None:
            return reason
        other = Projector(self._store, readers, offer, self._identity, PositionGate(), _Silent())
        async with aclosing(other.follow(stream)) as batches:
            async for batch in batches:
                if batch.caught_up and batch.position >= self._gate.position:
                    return None
        return "the stream has changed"

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
            still_wanted()
            try:
                return await self._identity()
            except StoreUnavailable as error:
                log.info("projection waits for the log", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _prepare(self, stream: StreamIdentity) -> Meta:
        try:
            return await self._open(stream)
        except DatabaseError as error:
            log.warning("projection file is damaged and is removed", reason=type(error).__name__)
            await self._gate.restart(0)
            await self._readers.engine.dispose()
            switch.remove(self._path)
            return await self._open(stream)

    async def _open(self, stream: StreamIdentity) -> Meta:
        async with self._readers.engine.connect() as connection:
            meta = await database.read_meta(connection)
            reason = unusable_because(meta, stream)
            if meta is not None and reason is None:
                return meta
            log.info("projection is rebuilt from the log", reason=reason, events=stream.last)
            await self._gate.restart(0)
            fresh = Meta(schema_fingerprint(), 0, stream.created)
            await connection.rollback()
            await database.recreate(connection, fresh)
            return fresh


class _Silent:
    def projected(self, events: int) -> None:
        """Nobody listens."""

    def lag(self, events: int) -> None:
        """Nobody listens."""
