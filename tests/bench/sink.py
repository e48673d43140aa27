"""A mail server that takes everything at once: enough SMTP (RFC 5321) for a sender to be measured.

Besides SMTP it knows ``XCOUNT`` (how many mails) and ``XDUMP <path>``: writes, as JSON, the
number of the prospect that each mail names first (-1 for none) and the instant of its arrival,
on the machine's monotonic clock.
"""

import asyncio
import json
import re
import sys
from pathlib import Path
from time import monotonic
from typing import cast

import uvloop

_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 10485760\r\n",
    b"HELO": b"250 sink\r\n",
    b"MAIL": b"250 2.1.0 OK\r\n",
    b"RCPT": b"250 2.1.5 OK\r\n",
    b"NOOP": b"250 OK\r\n",
    b"RSET": b"250 OK\r\n",
    b"QUIT": b"221 bye\r\n",
}
_END = b"\r\n.\r\n"

_PROSPECT = re.compile(rb"\blead(\d{9})@")

arrivals: list[tuple[int, float]] = []


class Session(asyncio.Protocol):
    """One client."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        out = b"".join(self._answers())
        if out:
            self._transport.write(out)

    def _answers(self) -> list[bytes]:
        out: list[bytes] = []
        while True:
            end = _END if self._in_data else b"\r\n"
            at = self._received.find(end)
            if at < 0:
                return out
            line = bytes(self._received[:at])
            del self._received[: at + len(end)]
            out.append(self._taken(line) if self._in_data else self._command(line))

    def _taken(self, mail: bytes) -> bytes:
        self._in_data = False
        found = _PROSPECT.search(mail)
        arrivals.append((int(found[1]) if found else -1, monotonic()))
        return b"250 2.0.0 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if line.startswith(b"XCOUNT"):
            return b"250 %d\r\n" % len(arrivals)
        if line.startswith(b"XDUMP "):
            Path(line[6:].decode()).write_text(json.dumps(arrivals))
            arrivals.clear()
            return b"250 written\r\n"
        return _ANSWERS.get(verb, b"500 what?\r\n")


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
