"""The wires between the nodes: a small TCP relay in a process of its own.

Every connection from one node to another goes through it, so that a node can be cut off
without any privilege (no packet filter, no network namespace). ``cut n1`` on stdin stops
reading on every connection of n1: bytes pile up unanswered, connections stay open, new ones
are accepted and stay silent. That is what a pulled cable looks like to both ends; ``heal n1``
lets everything flow again, as TCP's own repeats would. Clients of the node are not cut: they
go on talking to a node that can no longer agree with anybody, which is the harder case.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass(frozen=True)
class Wire:
    """From one node's route to another's port."""

    listen: int
    to: int
    ends: tuple[str, str]


@dataclass(eq=False)
class _End(asyncio.Protocol):
    """One side of a relayed connection; holds back what comes before the other side stands."""

    relay: "Relay"
    wire: Wire
    transport: asyncio.Transport | None = None
    other: "_End | None" = None
    held: list[bytes] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self.transport = transport
        self.relay.ends.add(self)
        if self.relay.is_cut(self.wire):
            transport.pause_reading()
        if self.other is None:
            self.relay.spawn(self._join())

    async def _join(self) -> None:
        far = _End(self.relay, self.wire, other=self)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: far, "127.0.0.1", self.wire.to
            )
        except OSError:
            self._close()
            return
        self.other = far
        for data in self.held:
            far.write(data)
        self.held.clear()
        if self.transport is None or self.transport.is_closing():
            far._close()

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.held.append(data)
        else:
            self.other.write(data)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.relay.ends.discard(self)
        if self.other is not None:
            self.other._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Relay:
    """All wires."""

    def __init__(self) -> None:
        self.ends: set[_End] = set()
        self._cut: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def is_cut(self, wire: Wire) -> bool:
        return not self._cut.isdisjoint(wire.ends)

    def spawn(self, coroutine: object) -> None:
        task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def obey(self, command: str, node: str) -> None:
        """``cut`` or ``heal`` a node."""
        if command == "cut":
            self._cut.add(node)
        else:
            self._cut.discard(node)
        for end in list(self.ends):
            if end.transport is None or end.transport.is_closing():
                continue
            if self.is_cut(end.wire):
                end.transport.pause_reading()
            else:
                end.transport.resume_reading()


async def run(wires: list[Wire]) -> None:
    """Relay until stdin ends; a line is printed once all wires are there."""
    loop = asyncio.get_running_loop()
    relay = Relay()
    for wire in wires:
        await loop.create_server(lambda wire=wire: _End(relay, wire), "127.0.0.1", wire.listen)  # type: ignore[misc]
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await reader.readline():
        command, node = line.decode().split()
        relay.obey(command, node)
        sys.stdout.write(f"{command} {node}\n")
        sys.stdout.flush()


def main() -> None:
    uvloop.run(run([Wire(a, b, (c, d)) for a, b, c, d in json.loads(sys.argv[1])]))


if __name__ == "__main__":
    main()
