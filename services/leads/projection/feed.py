"""Reading the log in a process of its own: decoding takes one processor, writing another."""

import asyncio
import gc
import multiprocessing
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import nats.errors
from nats.js import JetStreamContext

from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats_client import QuickClient
from libs.chassis.nats_login import login
from libs.events.jetstream import JetStreamEventStore
from services.leads.projection.rows import PARTS, Changes, changes_of
from services.leads.settings import LeadsSettings

_BATCH: Final = 4000
_TIMEOUT: Final = 2.0
_RECONNECT_WAIT: Final = 0.5
_RECONNECTS: Final = 10


@dataclass(frozen=True, slots=True)
class Fed:
    """A batch from the log.

    Attributes:
        changes: What it does to the table.
        position: Of its last event.
        caught_up: Nothing newer was in the log.
    """

    changes: Changes
    position: int
    caught_up: bool


@asynccontextmanager
async def connected(settings: LeadsSettings) -> AsyncIterator[JetStreamContext]:
    """A connection that is given up when the server stays away.

    Raises:
        nats.errors.Error, OSError: NATS cannot be reached.
    """
    client = QuickClient()
    await client.connect(
        **login(settings, "operator"),
        name="leadlog-rebuild",
        connect_timeout=_TIMEOUT,  # type: ignore[arg-type]  # it takes a float
        reconnect_time_wait=_RECONNECT_WAIT,  # type: ignore[arg-type]  # as above
        max_reconnect_attempts=_RECONNECTS,
        error_cb=_told_otherwise,
    )
    try:
        yield client.jetstream(timeout=_TIMEOUT)
    finally:
        await client.close()


@contextmanager
def feeding(settings: LeadsSettings) -> Iterator[Iterator[Fed]]:
    """Hand out the log's batches from its beginning, up to when it was read to its end.

    Raises:
        StoreUnavailable: The reading process failed.
    """
    context = multiprocessing.get_context("spawn")  # a fork would take threads and loops along
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_feed, args=(settings, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield _received(ours)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _received(connection: Connection) -> Iterator[Fed]:
    while True:
        try:
            fed = connection.recv()
        except EOFError:
            raise StoreUnavailable("the process that reads the log has ended") from None
        if not isinstance(fed, Fed):
            raise StoreUnavailable(f"the log cannot be read: {fed}")
        yield fed
        if fed.caught_up:
            return


def _feed(settings: LeadsSettings, connection: Connection) -> None:
    gc.disable()  # millions of objects, none in a cycle: looking for cycles is a sixth of the time
    try:
        asyncio.run(_read(settings, connection))
    except (OSError, nats.errors.Error, StoreUnavailable) as error:
        connection.send(type(error).__name__)


async def _read(settings: LeadsSettings, connection: Connection) -> None:
    async with connected(settings) as js:
        store = JetStreamEventStore(js)
        reading = store.catch_up(after=0, parts=PARTS, batch_size=_BATCH)
        async with aclosing(reading) as batches:
            sending = asyncio.create_task(asyncio.sleep(0))
            async for batch in batches:
                fed = Fed(changes_of(batch.events), batch.position, batch.caught_up)
                await sending
                sending = asyncio.create_task(asyncio.to_thread(connection.send, fed))
                if batch.caught_up:
                    await sending
                    return


async def _told_otherwise(_error: Exception) -> None:
    """What matters is raised."""
