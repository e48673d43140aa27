"""The connection to NATS: made in the background, watched, and closed in order."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog
from aiohttp import web
from nats.aio.client import Client
from nats.js import JetStreamContext

from libs.chassis.health import HEALTH
from libs.chassis.lifecycle import LIFE
from libs.chassis.nats_client import QuickClient
from libs.chassis.nats_errors import ErrorLog
from libs.chassis.nats_login import login, service_api
from libs.chassis.nats_watch import Watchdog
from libs.chassis.settings import ServiceSettings
from libs.chassis.tasks import end

CONNECT_SECONDS = 2
RECONNECT_WAIT_SECONDS = 0.5
PENDING_BYTES = 64 * 1024 * 1024
PING_SECONDS = 10
DRAIN_SECONDS = 5
# JetStream requests in flight at a disconnect wait out their whole timeout, so keep it short;
# callers try again with the same message id.
REQUEST_SECONDS = 2.0

NATS = web.AppKey("nats", Client)
JETSTREAM = web.AppKey("jetstream", JetStreamContext)
CONNECTED = web.AppKey("nats_connected", asyncio.Event)

log = structlog.get_logger()


def nats_ctx(
    settings: ServiceSettings, service: str
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return a ``cleanup_ctx`` entry that provides ``app[NATS]`` and ``app[JETSTREAM]``.

    Start-up does not wait for the server: the service starts, ``/readyz`` names "nats" until
    the connection stands, and until then requests through it fail. Append it before whatever
    uses the connection, so that it is closed after them.

    Args:
        settings: where the server is and how to log in.
        service: names the connection and the user at NATS; see ``nats_login.login``.
    """

    async def connect(app: web.Application) -> AsyncIterator[None]:
        how = login(settings, service)
        client = QuickClient(service_api(settings))
        errors = ErrorLog(settings, service, app[LIFE].fail)
        watchdog = Watchdog(client, give_up=app[LIFE].fail)
        app[NATS] = client
        app[JETSTREAM] = client.jetstream(timeout=REQUEST_SECONDS)
        app[CONNECTED] = watchdog.connected
        app[HEALTH].add("nats", lambda: _state(watchdog, errors))
        task = asyncio.create_task(_connect_and_watch(client, watchdog, errors, service, how))
        task.add_done_callback(lambda done: _on_end(app, done))
        yield
        watchdog.stop()
        await end(task)
        await _close(client)

    return connect


async def wait_connected(app: web.Application) -> None:
    """Wait until the first connection stands; a later loss does not matter here."""
    await app[CONNECTED].wait()


async def _connect_and_watch(
    client: Client,
    watchdog: Watchdog,
    errors: ErrorLog,
    service: str,
    how: dict[str, Any],
) -> None:
    async def on_reconnected() -> None:
        log.info("nats: connected again", server=_server(client))
        watchdog.on_reconnected()

    async def on_disconnected() -> None:
        if watchdog.on_disconnected():
            log.warning("nats: connection lost; trying to get it back")

    await client.connect(
        **how,
        name=f"leadlog-{service}",
        connect_timeout=CONNECT_SECONDS,
        reconnect_time_wait=RECONNECT_WAIT_SECONDS,  # type: ignore[arg-type]  # it takes a float
        max_reconnect_attempts=-1,  # the default, 60, would close the client for good
        ping_interval=PING_SECONDS,
        drain_timeout=DRAIN_SECONDS,
        pending_size=PENDING_BYTES,
        error_cb=errors.report,
        reconnected_cb=on_reconnected,
        disconnected_cb=on_disconnected,
    )
    log.info("nats: connected", server=_server(client))
    await watchdog.run()


async def _state(watchdog: Watchdog, errors: ErrorLog) -> str | None:
    state = await watchdog.check()
    return f"{state}, but {errors.denied}" if errors.denied else state


def _on_end(app: web.Application, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("nats: cannot connect with these settings", exc_info=error)
        app[LIFE].fail()


async def _close(client: Client) -> None:
    """Send what is buffered, then close; bounded, whatever state the connection is in."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS + 1):
            if client.is_connected:
                await client.drain()
            elif not client.is_closed:
                await client.close()
    except Exception as error:
        log.warning("nats: not closed cleanly", exc_info=error)


def _server(client: Client) -> str | None:
    url = client.connected_url
    return f"{url.hostname}:{url.port}" if url is not None else None
