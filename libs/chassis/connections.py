"""What one client may hold of a server: so many connections, and none that it does not read.

aiohttp ends a connection that brings no whole request head in ``keepalive_timeout``; what it
does not do stands here. Slow clients: OWASP, "Denial of Service Cheat Sheet".
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, cast

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from libs.chassis.forwarded import Network, is_trusted, network_of, parse_address
from libs.chassis.headers import SECURITY_HEADERS
from libs.chassis.status import phrase

_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Connection: close\r\nServer: leadlog\r\n\r\n"
)
log = structlog.get_logger()


@dataclass(frozen=True)
class ConnectionLimits:
    """The bounds of one listening port.

    Attributes:
        per_address: connections of one address, IPv6 by /64; 0 for no limit.
        stalled_seconds: how long a client may leave unread what is sent to it.
        exempt: whether an address is not counted.
        open: how many connections each address has; kept by the guards.
    """

    per_address: int = 0
    stalled_seconds: float = 30.0
    exempt: Callable[[str], bool] = lambda _address: False
    open: Counter[str] = field(default_factory=Counter)


def exempt_from_limits(address: str, trusted: tuple[Network, ...]) -> bool:
    """Whether limits for each address do not apply [pure].

    A trusted proxy brings everybody's requests. This machine's own addresses are the
    operator's, or a proxy's that ``trusted_proxies`` does not name yet: a limit would then
    shut everybody out together.
    """
    parsed = parse_address(address)
    return parsed is None or is_trusted(parsed, trusted) or ip_address(str(parsed)).is_loopback


class Guard(asyncio.Protocol):
    """Stands before aiohttp's protocol and passes on what it lets through."""

    def __init__(self, inner: asyncio.Protocol, limits: ConnectionLimits) -> None:
        self._inner, self._limits = inner, limits
        self._transport: asyncio.Transport | None = None
        self._counted: str | None = None
        self._refused = False
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, or refuse it."""
        # A TCP connection's can write; uvloop's is no subclass of asyncio's.
        self._transport = stream = cast("asyncio.Transport", transport)
        if self._is_one_too_many(stream):
            self._refused = True
            stream.write(_REFUSAL)
            stream.close()
            return
        self._inner.connection_made(transport)

    def _is_one_too_many(self, transport: asyncio.Transport) -> bool:
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else ""
        limits = self._limits
        if not limits.per_address or limits.exempt(address):
            return False
        key = network_of(address)
        if limits.open[key] >= limits.per_address:
            log.warning("connection refused: its address has too many", limit=limits.per_address)
            return True
        limits.open[key] += 1
        self._counted = key
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._unwatch()
        if self._counted is not None:
            self._limits.open[self._counted] -= 1
            if self._limits.open[self._counted] <= 0:
                del self._limits.open[self._counted]
        if not self._refused:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if not self._refused:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return None if self._refused else self._inner.eof_received()

    def pause_writing(self) -> None:
        """The client does not read: it has so long to go on."""
        loop = asyncio.get_running_loop()
        self._stalled = loop.call_later(self._limits.stalled_seconds, self._cut_off)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._unwatch()
        self._inner.resume_writing()

    def _unwatch(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _cut_off(self) -> None:
        log.info("a client that does not read was cut off")
        if self._transport is not None:
            self._transport.abort()


class _Handler(RequestHandler):
    """aiohttp's own, but for what it says of a request that is no HTTP.

    aiohttp repeats the offending bytes in the answer and in the log, beside the client's
    address and under its own version.
    """

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer with the status alone, and end the connection."""
        del message
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("a request failed outside its handler", exc_info=exc)
        else:
            log.info("refused what is not well-formed HTTP", error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        headers = {"Server": "leadlog", **SECURITY_HEADERS}
        response = web.Response(status=status, text=phrase(status), headers=headers)
        response.force_close()
        return response


class GuardedSite(web.TCPSite):
    """A TCP site whose connections are guarded; otherwise as aiohttp's own."""

    def __init__(
        self, runner: web.BaseRunner, host: str, port: int, limits: ConnectionLimits
    ) -> None:
        super().__init__(runner, host, port, reuse_address=True)
        self._limits = limits

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        loop = asyncio.get_running_loop()
        options = server._kwargs  # noqa: SLF001 - what the runner was given for each connection
        self._server = await loop.create_server(
            lambda: Guard(_Handler(server, loop=loop, **options), self._limits),
            self._host,
            self._port,
            backlog=self._backlog,
            reuse_address=True,
        )
        self._bound_port = self._server.sockets[0].getsockname()[1]
