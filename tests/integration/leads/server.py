"""A real nats-server for one test."""

import asyncio
import socket
from pathlib import Path

import nats
from nats.aio.client import Client

BIN = Path(__import__("sys").executable).parent / "nats-server"


class NatsServer:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            str(BIN),
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-js",
            "-sd",
            str(self.folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    client = await nats.connect(self.url, allow_reconnect=False, error_cb=_quiet)
                    await client.jetstream().account_info()
                except Exception:
                    await asyncio.sleep(0.05)
                    continue
                await client.close()
                return

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


async def _quiet(error: Exception) -> None:
    return


__all__ = ["Client", "NatsServer"]
