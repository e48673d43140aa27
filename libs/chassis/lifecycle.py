"""A service's life: start, serve, notice that a part died, stop in order."""

import asyncio
import contextlib
import functools
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
import uvloop
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from libs.chassis.connections import ConnectionLimits, exempt_from_limits
from libs.chassis.health import HEALTH, NotReady
from libs.chassis.ports import PortUnavailable, listen
from libs.chassis.settings import ServiceSettings, SettingsError

EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_PORT = 3
# After the in-flight requests had their time: what is left is cut off this quickly.
_CUT_OFF_SECONDS = 1.0
_POLL_SECONDS = 0.02

log = structlog.get_logger()


class Life:
    """What ends a service: a signal, or the death of a part it cannot do without."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.ended = asyncio.Event()
        self.failed = False

    def stop(self) -> None:
        """End the service in order."""
        self.ended.set()

    def fail(self) -> None:
        """End the service because it cannot go on; the exit code will say so."""
        self.failed = True
        self.ended.set()


LIFE = web.AppKey("life", Life)


def run_service(app: web.Application, settings: ServiceSettings) -> None:
    """Run the application until SIGTERM or SIGINT, or until a supervised part dies.

    On the first signal: not ready, no new connections, requests in flight get up to
    ``shutdown_seconds``, then everything the application opened is closed. A second signal
    ends the process at once.

    Raises:
        SystemExit: 1 when a part died or the start failed, 2 for settings that do not work, 3
            when a port is taken. A stop by signal returns normally.
    """
    code = uvloop.run(_serve(app, settings))
    sys.stdout.flush()
    if code:
        raise SystemExit(code)


def supervise(
    app: web.Application,
    name: str,
    coro_factory: Callable[[], Awaitable[None]],
    *,
    stop_seconds: float = 15.0,
) -> None:
    """Run a task that must live as long as the application.

    It starts after the ``cleanup_ctx`` entries registered before it and is stopped before
    they are closed. When it raises, or returns, the service is no longer ready and the
    process ends with exit code 1, so that whatever runs it starts it anew; a dead consumer
    behind a living HTTP port would go unnoticed.

    Args:
        app: the application, not yet started.
        name: what the task does, in a word; shown by ``/readyz``.
        coro_factory: makes the coroutine, called at start.
        stop_seconds: how long a cancelled task may take to finish what it has in hand.
    """

    async def watch(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.ensure_future(coro_factory())
        on_end = functools.partial(_on_end, app, name)
        app[HEALTH].add(name, lambda: _alive(task))
        task.add_done_callback(on_end)
        yield
        task.remove_done_callback(on_end)
        await _cancel(task, name, stop_seconds)

    app.cleanup_ctx.append(watch)


async def _alive(task: asyncio.Future[None]) -> str | None:
    if task.done():
        msg = "the task has ended; the service is about to restart"
        raise NotReady(msg)
    return None


def _on_end(app: web.Application, name: str, task: asyncio.Future[None]) -> None:
    if task.cancelled():
        return
    log.error("a part of the service has died", part=name, exc_info=task.exception())
    app[LIFE].fail()


async def _cancel(task: asyncio.Future[None], name: str, seconds: float) -> None:
    if task.done():
        return
    task.cancel()
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        log.warning("a part did not stop in time and is left", part=name, seconds=seconds)
    elif not task.cancelled() and (error := task.exception()) is not None:
        log.error("a part failed while it stopped", part=name, exc_info=error)


async def _serve(app: web.Application, settings: ServiceSettings) -> int:
    life = app[LIFE]
    _install_signal_handlers(life)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_CUT_OFF_SECONDS,
        keepalive_timeout=settings.idle_seconds,
    )
    code = await _start(runner, settings, life)
    if code is not None:
        await runner.cleanup()
        return code
    _log_started(runner, settings)
    await life.ended.wait()
    await _stop(app, runner, settings)
    log.info("service stopped", failed=life.failed)
    return EXIT_FAILED if life.failed else 0


async def _start(runner: web.AppRunner, settings: ServiceSettings, life: Life) -> int | None:
    """Open the application's resources and listen; the exit code if that came to nothing."""
    opening = asyncio.ensure_future(_open(runner, settings))
    ended = asyncio.ensure_future(life.ended.wait())
    await asyncio.wait({opening, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not opening.done():  # asked to stop while starting
        opening.cancel()
        await asyncio.wait({opening})
        log.info("service stopped before it had started")
        return EXIT_FAILED if life.failed else 0
    return _exit_code(opening.exception())


async def _open(runner: web.AppRunner, settings: ServiceSettings) -> None:
    await runner.setup()
    trusted = tuple(settings.trusted_proxies)
    limits = ConnectionLimits(
        settings.connections_per_address,
        settings.stalled_seconds,
        lambda address: exempt_from_limits(address, trusted),
    )
    await listen(runner, settings.http_host, settings.http_port, setting="http_port", limits=limits)


def _exit_code(error: BaseException | None) -> int | None:
    match error:
        case None:
            return None
        case PortUnavailable():
            log.error("service not started", reason=str(error))
            return EXIT_PORT
        case SettingsError():
            log.error("service not started", reason=str(error))
            return EXIT_SETTINGS
        case _:
            log.error("service not started", exc_info=error)
            return EXIT_FAILED


async def _stop(app: web.Application, runner: web.AppRunner, settings: ServiceSettings) -> None:
    log.info("service stopping", shutdown_seconds=settings.shutdown_seconds)
    app[HEALTH].draining = True
    if not app[LIFE].failed:
        await asyncio.sleep(settings.shutdown_delay_seconds)
    for site in list(runner.sites):
        await site.stop()
    await _finish_requests(runner, settings.shutdown_seconds)
    try:
        async with asyncio.timeout(settings.shutdown_seconds):
            await runner.cleanup()
    except TimeoutError:
        log.warning("closing took too long and was given up", seconds=settings.shutdown_seconds)
    except Exception:
        log.exception("closing failed")


async def _finish_requests(runner: web.AppRunner, seconds: float) -> None:
    """Close idle connections, let busy ones finish, for at most this long."""
    server = runner.server
    if server is None:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while server.connections:
                _close_idle(server.connections)
                await asyncio.sleep(_POLL_SECONDS)
    if server.connections:
        log.warning("requests cut off", requests=len(server.connections))


def _close_idle(connections: list[RequestHandler]) -> None:
    """Close the connections without a request.

    ``Server.pre_shutdown`` would close the busy ones to further bytes as well, and a body that
    is still arriving would never end.
    """
    for connection in connections:
        if connection._current_request is None:  # noqa: SLF001 - aiohttp tells it nowhere else
            connection.close()


def _install_signal_handlers(life: Life) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, life, number)


def _on_signal(life: Life, number: signal.Signals) -> None:
    if life.ended.is_set():
        # By the system's own default action, so that the parent sees death by this signal.
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    life.stop()


def _log_started(runner: web.AppRunner, settings: ServiceSettings) -> None:
    urls = [f"http://{_address(address)}" for address in runner.addresses]
    metrics = f"http://{settings.metrics_host}:{settings.metrics_port}/metrics"
    log.info("service started", urls=urls, metrics=metrics if settings.metrics_port else None)


def _address(address: object) -> str:
    if isinstance(address, tuple):
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return str(address)
