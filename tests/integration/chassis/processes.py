"""Start a service process, and wait for conditions instead of for time."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 20.0
T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T | None]], seconds: float = SECONDS) -> T:
    """Ask until the answer is true; its value."""
    async with asyncio.timeout(seconds):
        while not (answer := await probe()):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.02)
        return answer


class Service:
    """One service process, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    async def start(cls, module: str, *args: str, **settings: str) -> Self:
        port = int(settings.setdefault("http_port", str(free_port())))
        settings.setdefault("metrics_port", "0")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LEADLOG_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *args,
            cwd=ROOT,
            env=clean | {f"LEADLOG_{name.upper()}": value for name, value in settings.items()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process, port)

    async def status(self, path: str = "/readyz") -> int:
        """The status of a request, 0 when nobody answers."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
                return response.status
        except aiohttp.ClientError:
            return 0

    async def ready(self) -> Self:
        async def probe() -> bool:
            return self.process.returncode is not None or await self.status() == 200

        await until(probe)
        assert self.process.returncode is None, await self.ended()
        return self

    async def ended(self) -> tuple[int | None, list[dict[str, Any]], str]:
        """Exit code, log lines and stderr, once the process has ended."""
        async with asyncio.timeout(SECONDS):
            out, err = await self.process.communicate()
        lines = [json.loads(x) for x in out.decode().splitlines() if x.startswith("{")]
        return self.process.returncode, lines, out.decode() + err.decode()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()
