"""A client of clamd: VERSION and INSTREAM over TCP or a Unix socket (clamd(8)).

It works on plain sockets. When a file is over StreamMaxLength, clamd says so and hangs up while
we still send; asyncio's streams then throw away what was received, and with it the reason.
Why no library: docs/adr/0026.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from services.leads.scanning.replies import ClamdAway, Found, engine_of, read_reply

_PORT: Final = 3310
_PIECE: Final = 64 * 1024
_LENGTH: Final = struct.Struct("!I")
_LONGEST_REPLY: Final = 4096
_CONNECT_SECONDS: Final = 5.0
_SCAN_SECONDS: Final = 180.0
"""clamd itself gives up a file after MaxScanTime, two minutes unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where clamd listens: a path, or a host and a port."""

    path: str | None
    host: str = ""
    port: int = 0


def parse_address(text: str) -> Address:
    """Read `tcp://host:3310` or `unix:///path`.

    Raises:
        ValueError: it is neither.
    """
    parts = urlsplit(text)
    if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
        return Address(parts.path)
    if parts.scheme == "tcp" and parts.hostname and parts.path in {"", "/"} and "@" not in text:
        return Address(None, parts.hostname, parts.port or _PORT)
    raise ValueError("it must look like tcp://host:3310 or unix:///run/clamav/clamd.ctl")


class Clamd:
    """Asks one clamd; a connection for each question, as clamd ends them itself."""

    def __init__(self, address: Address, *, scan_seconds: float = _SCAN_SECONDS) -> None:
        self._address = address
        self._scan_seconds = scan_seconds

    async def version(self) -> str | None:
        """What it is and how new its signatures are.

        Raises:
            ClamdAway: it does not answer.
        """
        async with self._asked(b"zVERSION\0", _CONNECT_SECONDS) as connection:
            return engine_of(await _answer(connection))

    async def scan(self, pieces: AsyncIterator[bytes]) -> Found:
        """Scan the bytes; whatever reading them raises goes through.

        Raises:
            ClamdAway: it does not answer, or has a fault of its own.
            ScanFailed: it has a fault with this file.
            TooLarge: the file is over its StreamMaxLength.
        """
        async with self._asked(b"zINSTREAM\0", self._scan_seconds) as connection:
            await _send(connection, pieces)
            return read_reply(await _answer(connection))

    @asynccontextmanager
    async def _asked(self, command: bytes, seconds: float) -> AsyncGenerator[socket.socket]:
        try:
            async with asyncio.timeout(seconds):
                connection = await self._connected()
                try:
                    await asyncio.get_running_loop().sock_sendall(connection, command)
                    yield connection
                finally:
                    connection.close()
        except TimeoutError:
            raise ClamdAway("it took too long") from None
        except OSError as error:
            raise ClamdAway(type(error).__name__) from None

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_SECONDS):
            if self._address.path is not None:
                return await _open(socket.AF_UNIX, self._address.path)
            failed: OSError = OSError("the name has no address")
            for family, _, _, _, target in await loop.getaddrinfo(
                self._address.host, self._address.port, type=socket.SOCK_STREAM
            ):
                try:
                    return await _open(family, target)
                except OSError as error:
                    failed = error
            raise failed


async def _open(family: int, target: object) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, target)  # type: ignore[arg-type]  # a path or what getaddrinfo gave
    except BaseException:
        connection.close()
        raise
    return connection


async def _send(connection: socket.socket, pieces: AsyncIterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    async for data in pieces:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            try:
                await loop.sock_sendall(connection, _LENGTH.pack(len(piece)) + piece)
            except OSError:
                return  # it has hung up: its answer, if there is one, says why
    try:
        await loop.sock_sendall(connection, _LENGTH.pack(0))
    except OSError:
        return


async def _answer(connection: socket.socket) -> bytes:
    loop, reply = asyncio.get_running_loop(), b""
    while b"\0" not in reply and len(reply) < _LONGEST_REPLY:
        received = await loop.sock_recv(connection, _LONGEST_REPLY)
        if not received:
            break
        reply += received
    return reply
