"""Running the mail catcher as a process of its own."""

import asyncio
import errno
import signal
import sys
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from libs.chassis.logs import configure_logging
from services.cli.mail_catcher.folder import MailFolder
from services.cli.mail_catcher.pages import build_app
from services.cli.mail_catcher.smtp import Keeper, listen

EXIT_FOLDER: Final = 1
EXIT_PORT: Final = 3
_STOP_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.02
_REASONS: Final = {
    errno.EADDRINUSE: "it is in use by another program",
    errno.EACCES: "this user may not use it",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}

log = structlog.get_logger()


class PortUnavailable(Exception):
    """The mail catcher cannot listen where it was told to; the text says what to do."""


def run(host: str, smtp_port: int, http_port: int, folder: Path) -> None:
    """Catch mails until SIGTERM or SIGINT.

    Args:
        host: the address to listen on. The mails are shown to whoever reaches it.
        smtp_port: where mails are taken; 0 for any free one.
        http_port: where they are shown; 0 for any free one.
        folder: where they are kept; made if it is missing.

    Raises:
        SystemExit: 1 when the folder cannot be used, 3 when a port cannot.
    """
    configure_logging("mail-catcher")
    try:
        asyncio.run(_serve(host, smtp_port, http_port, MailFolder(folder)))
    except PortUnavailable as error:
        _exit(EXIT_PORT, str(error))
    except _FolderUnusable as error:
        _exit(EXIT_FOLDER, str(error))


class _FolderUnusable(Exception):
    pass


def _exit(code: int, message: str) -> None:
    print(f"mail-catcher: {message}", file=sys.stderr)
    raise SystemExit(code)


async def _serve(host: str, smtp_port: int, http_port: int, folder: MailFolder) -> None:
    stop = _on_signals()
    _open(folder)
    keeper = Keeper(folder)
    smtp = await _smtp(keeper, host, smtp_port)
    runner = web.AppRunner(build_app(folder, host), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        await _http(runner, host, http_port)
        smtp_at, page = smtp.sockets[0].getsockname(), runner.addresses[0]
        log.info("mail catcher started", smtp=_url("smtp", smtp_at), page=_url("http", page))
        await stop.wait()
        log.info("mail catcher stopping")
    finally:
        smtp.close()
        await _finish(keeper)
        await runner.cleanup()


def _on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _open(folder: MailFolder) -> None:
    try:
        folder.open()
    except OSError as error:
        raise _FolderUnusable(
            f"the folder {folder.path} cannot be used: {error.strerror}. "
            "Name another one with --folder, or make this one writable."
        ) from error


async def _smtp(keeper: Keeper, host: str, port: int) -> asyncio.Server:
    try:
        return await listen(keeper, host, port)
    except (OSError, OverflowError) as error:
        raise _unavailable(host, port, "--smtp-port", error) from error


async def _http(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
    except (OSError, OverflowError) as error:
        raise _unavailable(host, port, "--http-port", error) from error


def _unavailable(host: str, port: int, option: str, error: Exception) -> PortUnavailable:
    number = error.errno if isinstance(error, OSError) else None
    reason = _REASONS.get(number or 0, str(error))
    return PortUnavailable(
        f"cannot listen on {host}:{port}: {reason}. "
        f"Stop what uses it, or give {option} another number."
    )


async def _finish(keeper: Keeper) -> None:
    """Let mails that are being written be answered, for a while."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            while keeper.busy:  # noqa: ASYNC110 - a count has no event
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        log.warning("mails were still being written", mails=keeper.busy)


def _url(scheme: str, address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
