"""Does the log keep what it acknowledges? Reads the servers' settings where it can.

An acknowledged message survives a power failure only if nats-server fsyncs before it
answers (``sync_interval: always``); the default, every two minutes, loses what came since
(https://jepsen.io/analyses/nats-2.12.1). A client cannot ask for that setting, so it is read
from the servers' monitoring pages when they are named.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import nats.errors
import structlog
from aiohttp import web
from nats.js.api import StorageType, StreamInfo
from nats.js.errors import APIError

from libs.chassis.health import HEALTH
from libs.chassis.nats import JETSTREAM, wait_connected
from libs.chassis.settings import ServiceSettings
from libs.chassis.tasks import end, still_wanted

_AGAIN_SECONDS: Final = 60.0
_SOON_SECONDS: Final = 2.0
_READ_SECONDS: Final = 3.0
_SAFE_REPLICAS: Final = 3
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Server:
    """What one server's monitoring page says.

    Attributes:
        name: the server's name, or its page's URL when it did not answer.
        sync_always: whether it fsyncs before it acknowledges; None when it is not known.
        clustered: whether it is part of a cluster.
    """

    name: str
    sync_always: bool | None
    clustered: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """What matters of a stream's settings."""

    name: str
    replicas: int
    in_memory: bool


def faults(streams: Sequence[Stream], servers: Sequence[Server]) -> tuple[str, ...]:
    """Why what was acknowledged could be lost; empty when nothing speaks for it (pure)."""
    found = [f"stream {one.name} is kept in memory only" for one in streams if one.in_memory]
    if any(server.clustered for server in servers):
        found += [
            f"stream {one.name} has {one.replicas} of {_SAFE_REPLICAS} replicas in a cluster"
            for one in streams
            if one.replicas < _SAFE_REPLICAS
        ]
    found += [
        f"nats-server {server.name} acknowledges before it has synced to disk; "
        "set sync_interval: always"
        for server in servers
        if server.sync_always is False
    ]
    unknown = [server.name for server in servers if server.sync_always is None]
    if unknown or not servers:
        found.append(
            "it is not known whether nats-server syncs before it acknowledges; name the "
            "monitoring page of each server in LEADLOG_NATS_MONITOR_URL"
            + (f" (no answer from {', '.join(unknown)})" if unknown else "")
        )
    return tuple(found)


def durability_ctx(
    settings: ServiceSettings, streams: Sequence[str]
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return a ``cleanup_ctx`` entry that tells ``/readyz`` whether acknowledged is kept.

    What is unsafe is logged loudly, as an error in production and as a warning elsewhere, once
    and whenever it changes. It does not make the service unready: refusing leads would lose
    them for certain.
    """

    async def watch(app: web.Application) -> AsyncIterator[None]:
        watcher = _Watcher(app, settings, streams)
        app[HEALTH].production = lambda: watcher.faults
        task = asyncio.create_task(watcher.run())
        yield
        await end(task)

    return watch


class _Watcher:
    def __init__(
        self, app: web.Application, settings: ServiceSettings, streams: Sequence[str]
    ) -> None:
        self._app, self._settings, self._streams = app, settings, streams
        self.faults: tuple[str, ...] = ("it has not been checked yet",)

    async def run(self) -> None:
        await wait_connected(self._app)
        while True:
            still_wanted()
            read = await self._read_streams()
            if read is not None:
                servers = [await _server(url) for url in self._settings.nats_monitor_url]
                self._tell(faults(read, servers))
            await asyncio.sleep(_SOON_SECONDS if read is None else _AGAIN_SECONDS)

    async def _read_streams(self) -> list[Stream] | None:
        js = self._app[JETSTREAM]
        try:
            return [_stream(await js.stream_info(name)) for name in self._streams]
        except (APIError, nats.errors.Error, TimeoutError):
            return None  # other checks say what is missing

    def _tell(self, found: tuple[str, ...]) -> None:
        if found == self.faults:
            return
        self.faults = found
        if found:
            loud = log.error if self._settings.environment == "production" else log.warning
            loud("not fit for production: acknowledged leads could be lost", reasons=list(found))
        else:
            log.info("fit for production: what is acknowledged is kept")


def _stream(info: StreamInfo) -> Stream:
    config = info.config
    return Stream(str(config.name), config.num_replicas or 1, config.storage is StorageType.MEMORY)


async def _server(url: str) -> Server:
    try:
        timeout = aiohttp.ClientTimeout(total=_READ_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url.rstrip('/')}/varz", allow_redirects=False) as answer,
        ):
            page = await answer.json()
            config = page["jetstream"]["config"]
            clustered = bool(page.get("cluster", {}).get("name"))
            return Server(page["server_name"], bool(config.get("sync_always")), clustered)
    except (aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError):
        return Server(url, None)
