"""Listening on a TCP port, with an error that says what to do."""

import errno

from aiohttp import web

from libs.chassis.connections import ConnectionLimits, GuardedSite

_REASONS = {
    errno.EADDRINUSE: "it is in use by another program",
    errno.EACCES: "this user may not use it",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


class PortUnavailable(Exception):
    """The service cannot listen where its settings say."""

    def __init__(self, host: str, port: int, setting: str, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}. Stop what uses it, or set "
            f"{setting.upper()} (in the environment: LEADLOG_<SERVICE>_{setting.upper()}) "
            "to another value."
        )


async def listen(
    runner: web.AppRunner,
    host: str,
    port: int,
    *,
    setting: str,
    limits: ConnectionLimits | None = None,
) -> web.TCPSite:
    """Start to listen.

    Args:
        runner: a runner that is set up.
        host: the address to listen on.
        port: the port.
        setting: name of the setting the port came from, for the error.
        limits: what one client may hold.

    Raises:
        PortUnavailable: the port is taken, forbidden, or the address is not ours.
    """
    site = GuardedSite(runner, host, port, limits or ConnectionLimits())
    try:
        await site.start()
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise PortUnavailable(host, port, setting, reason) from error
    return site
