"""The client against a real clamd, by TCP and by a Unix socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop

from services.leads.scanning.clamd import Clamd, parse_address
from services.leads.scanning.replies import ClamdAway, Found, TooLarge
from tests.support.clamd import EICAR, NAME, clamd


async def pieces(content: bytes, size: int = 200_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("tcp", [True, False])
async def test_what_is_found_and_what_is_not(*, tcp: bool) -> None:
    async with clamd(tcp=tcp, stream_max="1M") as server:
        client = Clamd(parse_address(server.url))
        assert (await client.version() or "").startswith("ClamAV ")
        assert await client.scan(pieces(b"")) == Found(None)
        assert await client.scan(pieces(b"%PDF-1.7 fine")) == Found(None)
        assert await client.scan(pieces(EICAR)) == Found(NAME)
        # In the middle of a large one, across two pieces.
        large = b" " * 199_980 + EICAR + b" " * 700_000
        assert await client.scan(pieces(large)) == Found(NAME)


@pytest.mark.parametrize("tcp", [True, False])
async def test_a_file_over_the_limit_is_told_apart_from_a_clamd_that_is_away(*, tcp: bool) -> None:
    async with clamd(tcp=tcp, stream_max="1M") as server:
        client = Clamd(parse_address(server.url))
        for _ in range(20):  # it hangs up at once: our next piece must not lose its reason
            with pytest.raises(TooLarge):
                await client.scan(pieces(b" " * 4_000_000))
        await server.stop()
        with pytest.raises(ClamdAway):
            await client.scan(pieces(b"fine"))


async def test_a_clamd_that_says_nothing_is_away() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        client = Clamd(parse_address(f"tcp://127.0.0.1:{port}"), scan_seconds=0.2)
        with pytest.raises(ClamdAway, match="too long"):
            await client.scan(pieces(b"fine"))


async def test_a_fault_of_who_reads_the_file_is_not_clamds() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"first"
        raise KeyError

    async with clamd() as server:
        with pytest.raises(KeyError):
            await Clamd(parse_address(server.url)).scan(broken())


@pytest.mark.parametrize("tcp", [True, False])
def test_it_is_the_same_on_the_services_own_event_loop(*, tcp: bool) -> None:
    async def ask() -> None:
        async with clamd(tcp=tcp, stream_max="1M") as server:
            client = Clamd(parse_address(server.url))
            assert await client.scan(pieces(b" " * 300_000 + EICAR)) == Found(NAME)
            for _ in range(20):
                with pytest.raises(TooLarge):
                    await client.scan(pieces(b" " * 4_000_000))
            await server.stop()
            with pytest.raises(ClamdAway):
                await client.version()

    uvloop.run(ask())
