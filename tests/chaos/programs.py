"""A process that is killed, paused and started again."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

import aiohttp

from services.cli.orphans import end_with_parent


class NotReady(Exception):
    """A program did not become ready in time, or ended by itself too often."""


@dataclass(eq=False, kw_only=True)
class Program:
    """One program; started again when it ends by itself, and that is noted.

    Attributes:
        ready_url: answers 200 once it is ready.
        falls: of each end that nobody brought about, the exit code and what was said last.
        kills: when it was killed, seconds since 1970.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready_url: str
    falls: list[str] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    _keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, without waiting until it is ready."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LEADLOG_")}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env={**clean, **self.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent(),
            )
        self._keeper = asyncio.create_task(self._keep(self.process))

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self.falls.append(f"exit code {code}: {self.tail[-1000:]}")
        await asyncio.sleep(0.5)  # as whatever restarts programs would
        await self.start()

    async def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self._let_fall()
        self.kills.append(time())
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    async def stop(self, seconds: float = 15) -> None:
        """SIGTERM, and SIGKILL when that does not do."""
        if self.process is None or self.process.returncode is not None:
            self._let_fall()
            return
        self._let_fall()
        self.resume()
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def until_ready(self, seconds: float = 30) -> None:
        """Wait until it says that it is ready.

        Raises:
            NotReady: it does not.
        """
        end = monotonic() + seconds
        timeout = aiohttp.ClientTimeout(total=1)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not await _answers(session, self.ready_url):
                if monotonic() > end:
                    raise NotReady(f"{self.name} was not ready after {seconds:.0f} s\n{self.tail}")
                await asyncio.sleep(0.05)

    @property
    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def _let_fall(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
