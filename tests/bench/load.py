"""The load generator: a process of its own, with raw sockets and requests made beforehand.

Reads a ``Spec`` as JSON from stdin, writes a ``Result`` as JSON to stdout. Its own processor
time stands in the result, so that one can see that it is not what is measured.
"""

import asyncio
import json
import random
import sys
from dataclasses import asdict, dataclass, field
from itertools import count
from time import monotonic, process_time
from typing import Any, Self, cast

import uvloop

BOUNDARY = "leadlog-bench-boundary"
_COUNTER = b"%09d"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Ask for every n-th lead on the attorneys' side, as soon as it is acknowledged."""

    port: int
    token: str
    every: int


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What to send.

    Attributes:
        rate: submissions a second, evenly spread, each timed from when it was due; 0 sends the
            next one as soon as the last one is answered, on each connection.
        requests: stop after so many, without a warm-up; 0 goes by ``seconds``.
        key: send an Idempotency-Key, another one each time.
        start: the first number; it stands in the prospect's address.
    """

    port: int
    resume_bytes: int
    connections: int
    seconds: float = 0
    warm_up: float = 0
    rate: float = 0
    requests: int = 0
    key: bool = False
    start: int = 0
    probe: Probe | None = None


@dataclass
class Result:
    """What came back; times in seconds, instants on the machine's monotonic clock."""

    seconds: float = 0
    errors: int = 0
    answered: int = 0
    """All submissions, those of the warm-up too."""
    cpu_seconds: float = 0
    """Processor time of the generator after the warm-up."""
    latencies: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    """When each submission was due, without the warm-up, in the order of the answers."""
    numbers: list[int] = field(default_factory=list)
    """The submissions' numbers, in the same order."""
    visible: list[float] = field(default_factory=list)
    """Due until the attorneys' side answered with the lead."""
    visible_after_answer: list[float] = field(default_factory=list)
    first_error: str = ""


def resume_of(size: int) -> bytes:
    """Something that passes for a PDF."""
    head = b"%PDF-1.7\n"
    return head + random.Random(size).randbytes(size - len(head))  # noqa: S311 - filler


def address(number: int) -> str:
    """The prospect's address of a submission."""
    return f"lead{number:09d}@prospects.example.org"


class Request:
    """The bytes of a submission but for its number; copied by nobody."""

    def __init__(self, spec: Spec) -> None:
        fields = {"first_name": "Ada", "last_name": "Byron", "phone": "+44 20 7946 0018"}
        parts = "".join(_part(f'name="{name}"', value) for name, value in fields.items())
        local = address(0).partition("0")[0]
        domain = address(0).partition("@")[2]
        before = (parts + _part('name="email"', local)[:-2]).encode()
        after = f"@{domain}\r\n".encode()
        disposition = 'name="resume"; filename="cv.pdf"\r\nContent-Type: application/pdf'
        after += _part(disposition, "")[:-2].encode()
        after += resume_of(spec.resume_bytes) + f"\r\n--{BOUNDARY}--\r\n".encode()
        length = len(before) + len(_COUNTER % 0) + len(after)
        self._head = (
            f"POST /leads HTTP/1.1\r\nHost: 127.0.0.1:{spec.port}\r\nAccept: application/json\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {length}\r\n"
        ).encode()
        self._before, self._after, self._key = b"\r\n" + before, after, spec.key

    def parts(self, number: int) -> list[bytes]:
        """The request with this number."""
        digits = _COUNTER % number
        key = b"Idempotency-Key: bench-" + digits + b"\r\n" if self._key else b""
        return [self._head + key + self._before + digits, self._after]


def _part(disposition: str, content: str) -> str:
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""

    @classmethod
    async def open(cls, port: int) -> Self:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(cls, "127.0.0.1", port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        answer, self._answer = self._answer, None
        whole, self._received = self._received, b""
        if answer is not None and not answer.done():
            answer.set_result(whole)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))

    async def exchange(self, parts: list[bytes]) -> bytes:
        """Send a request; the whole answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines(parts)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def header(answer: bytes, name: bytes) -> bytes:
    """A header of an answer; empty when it is not there."""
    at = answer.lower().find(b"\r\n" + name + b":")
    return answer[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b""


class Generator:
    """Sends what a spec asks for."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._request = Request(spec)
        self._numbers = count(spec.start)
        self._result = Result()
        self._measuring = False
        self._probes: asyncio.Queue[Connection] = asyncio.Queue()
        self._probing: set[asyncio.Task[None]] = set()

    async def run(self) -> Result:
        spec = self._spec
        connections = [await Connection.open(spec.port) for _ in range(spec.connections)]
        if spec.probe:
            for _ in range(8):
                self._probes.put_nowait(await Connection.open(spec.probe.port))
        if spec.warm_up:
            await self._phase(connections, monotonic() + spec.warm_up, 0)
        self._measuring = True
        cpu, started = process_time(), monotonic()
        await self._phase(connections, started + spec.seconds, spec.requests)
        self._result.seconds = monotonic() - started
        self._result.cpu_seconds = process_time() - cpu
        if self._probing:
            await asyncio.wait(self._probing)
        for connection in connections:
            connection.close()
        return self._result

    async def _phase(self, connections: list[Connection], end: float, requests: int) -> None:
        if self._spec.rate:
            await self._evenly(connections, end)
            return
        last = self._spec.start + requests if requests else None
        await asyncio.gather(*(self._one_by_one(one, end, last) for one in connections))

    async def _one_by_one(self, connection: Connection, end: float, last: int | None) -> None:
        while last is not None or monotonic() < end:
            number = next(self._numbers)
            if last is not None and number >= last:
                return
            await self._send(connection, number, monotonic())

    async def _evenly(self, connections: list[Connection], end: float) -> None:
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in connections:
            free.put_nowait(connection)
        due, under_way = monotonic(), set[asyncio.Task[None]]()
        while due < end:
            if (wait := due - monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._on_a_free_one(free, next(self._numbers), due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += 1 / self._spec.rate
        if under_way:
            await asyncio.wait(under_way)

    async def _on_a_free_one(
        self, free: asyncio.Queue[Connection], number: int, due: float
    ) -> None:
        connection = await free.get()
        await self._send(connection, number, due)
        free.put_nowait(connection)

    async def _send(self, connection: Connection, number: int, due: float) -> None:
        answer = await connection.exchange(self._request.parts(number))
        answered = monotonic()
        if not answer.startswith(b"HTTP/1.1 202"):
            self._result.errors += 1
            self._result.first_error = self._result.first_error or answer[:400].decode()
            return
        self._result.answered += 1
        if not self._measuring:
            return
        self._result.latencies.append(answered - due)
        self._result.sent.append(due)
        self._result.numbers.append(number)
        probe = self._spec.probe
        if probe and number % probe.every == 0:
            task = asyncio.create_task(self._look(probe, answer, due, answered))
            self._probing.add(task)
            task.add_done_callback(self._probing.discard)

    async def _look(self, probe: Probe, answer: bytes, due: float, answered: float) -> None:
        lead_id = json.loads(answer.partition(b"\r\n\r\n")[2])["lead_id"]
        request = (
            f"GET /leads/{lead_id} HTTP/1.1\r\nHost: 127.0.0.1:{probe.port}\r\n"
            f"Authorization: Bearer {probe.token}\r\n"
            f"Leadlog-Position: {header(answer, b'leadlog-position').decode()}\r\n\r\n"
        ).encode()
        connection = await self._probes.get()
        shown = await connection.exchange([request])
        now = monotonic()
        self._probes.put_nowait(connection)
        if not shown.startswith(b"HTTP/1.1 200"):
            self._result.errors += 1
            self._result.first_error = self._result.first_error or shown[:400].decode()
            return
        self._result.visible.append(now - due)
        self._result.visible_after_answer.append(now - answered)


def spec_from(document: dict[str, Any]) -> Spec:
    """A spec from its JSON."""
    probe = document.pop("probe", None)
    return Spec(**document, probe=Probe(**probe) if probe else None)


def main() -> None:
    spec = spec_from(json.load(sys.stdin))
    json.dump(asdict(uvloop.run(Generator(spec).run())), sys.stdout)


if __name__ == "__main__":
    main()
