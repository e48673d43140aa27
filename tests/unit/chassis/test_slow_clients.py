"""Slow and greedy clients, and requests that mean to be two: on real sockets, short by settings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from libs.chassis.connections import ConnectionLimits, exempt_from_limits
from libs.chassis.metrics import metrics_site
from libs.chassis.ports import listen
from tests.support.ports import free_port
from tests.unit.chassis.sample import SampleSettings, make_app

SHORT: dict[str, Any] = {"idle_seconds": 0.2, "body_timeout_seconds": 0.2}
BIG = 32 * 1024 * 1024
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


async def _big(_: web.Request) -> web.Response:
    return web.Response(body=bytes(BIG))


@asynccontextmanager
async def serving(limits: ConnectionLimits | None = None, **more: Any) -> AsyncIterator[Connect]:
    """The sample service on a port of its own."""
    values = SHORT | more
    app = make_app(**values)
    app.router.add_get("/big", _big)
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=values["idle_seconds"], lingering_time=0.1
    )
    await runner.setup()
    site = await listen(runner, "127.0.0.1", 0, setting="http_port", limits=limits)
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", site.port)
        writers.append(streams[1])
        return streams

    try:
        yield connect
    finally:
        for writer in writers:
            writer.transport.abort()
        await runner.cleanup()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server ends the connection; fails when it does not."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the server, which runs in this very loop."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a count has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("sent", [b"", b"GET /hea", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: "])
async def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    async with serving() as connect:
        reader, writer = await connect()
        writer.write(sent)
        assert await ended(reader) == b""


async def test_a_head_byte_by_byte_ends_the_connection() -> None:
    async with serving() as connect:
        reader, writer = await connect()

        async def drip() -> None:
            while True:
                writer.write(b"a")
                await asyncio.sleep(0.02)

        writer.write(b"GET /")
        dripping = asyncio.create_task(drip())
        try:
            assert await ended(reader) == b""
        finally:
            dripping.cancel()


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async with serving() as connect:
        reader, writer = await connect()
        writer.write(
            b"POST /auth/token HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n{"
        )
        answer = await ended(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body-timeout" in answer


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with serving(ConnectionLimits(stalled_seconds=0.2)) as connect:
        reader, writer = await connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(10):
            # A write fails once the server has reset the connection.
            while not writer.transport.is_closing():
                writer.write(b"G")
                await asyncio.sleep(0.02)
        assert reader.exception() is not None or reader.at_eof() or writer.transport.is_closing()


async def test_a_client_that_reads_slowly_gets_it_all() -> None:
    async with serving(ConnectionLimits(stalled_seconds=1.0)) as connect:
        reader, writer = await connect()
        writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = 0
        async with asyncio.timeout(60):
            while piece := await reader.read(256 * 1024):
                received += len(piece)
                await asyncio.sleep(0)
        assert received > BIG


async def test_one_address_holds_so_many_connections_and_no_more() -> None:
    limits = ConnectionLimits(per_address=2)
    async with serving(limits, idle_seconds=30) as connect:
        first = [await connect() for _ in range(2)]
        await until(lambda: limits.open["127.0.0.1"] == 2)
        refused, _ = await connect()
        assert (await ended(refused)).startswith(b"HTTP/1.1 503 ")
        first[0][1].transport.abort()
        await until(lambda: limits.open["127.0.0.1"] == 1)
        reader, writer = await connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await ended(reader)).startswith(b"HTTP/1.1 200 ")
    assert not limits.open


@pytest.mark.parametrize(
    ("address", "exempt"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("", True),
        ("198.51.100.1", False),
        ("2001:db8::1", False),
    ],
)
def test_proxies_and_this_machine_are_not_counted(address: str, *, exempt: bool) -> None:
    assert exempt_from_limits(address, (ip_network("10.0.0.0/8"),)) is exempt


SMUGGLED = {
    "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "a signed length": b"Content-Length: +5\r\n\r\nhello",
    "an unknown coding": b"Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a zero byte": b"X-A: a\0b\r\n\r\n",
}


@pytest.mark.parametrize("tail", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_a_message_whose_end_is_in_doubt_is_refused_with_all_behind_it(tail: bytes) -> None:
    async with serving(idle_seconds=5) as connect:
        reader, writer = await connect()
        writer.write(
            b"POST /healthz HTTP/1.1\r\nHost: a\r\n"
            + tail
            + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        answer = await ended(reader)
    assert b"HTTP/1.1 200" not in answer
    assert answer.split()[1] == b"400"


OVERSIZED = {
    "a long address": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("request_", OVERSIZED.values(), ids=OVERSIZED.keys())
async def test_a_head_that_is_too_large_is_refused(request_: bytes) -> None:
    async with serving(idle_seconds=5) as connect:
        reader, writer = await connect()
        writer.write(request_)
        answer = await ended(reader)
    assert answer.split()[1] in {b"400", b"414", b"431"}
    assert b"aiohttp" not in answer
    assert b"aaaa" not in answer
    assert b"Traceback" not in answer


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with serving(idle_seconds=5) as connect:
        reader, writer = await connect()
        head = (
            b"POST /auth/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2097152\r\n\r\n"
        )
        writer.write(head + bytes(2 * 1024 * 1024))
        answer = await ended(reader)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_the_metrics_port_has_the_same_patience() -> None:
    port = free_port()
    settings = SampleSettings(**SHORT, metrics_port=port)
    app = make_app()
    async with asynccontextmanager(metrics_site)(app, settings):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /met")
        assert await ended(reader) == b""
        writer.close()


async def test_hsts_is_sent_only_where_the_client_came_by_tls(aiohttp_client: Any) -> None:
    async def hsts(headers: dict[str, str], **settings: Any) -> str | None:
        client = await aiohttp_client(make_app(**settings))
        answer = await client.get("/healthz", headers=headers)
        found: str | None = answer.headers.get("Strict-Transport-Security")
        return found

    https, proxies = {"X-Forwarded-Proto": "https"}, ["127.0.0.0/8"]
    always = "max-age=63072000; includeSubDomains"
    assert await hsts({}) is None
    assert await hsts(https) is None
    assert await hsts({}, trusted_proxies=proxies) is None
    assert await hsts(https, trusted_proxies=proxies) == always
    assert await hsts({}, behind_tls=True) == always
