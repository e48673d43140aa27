"""A child process that is kept running until it is told to stop."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, Final

import aiohttp

_PR_SET_PDEATHSIG: Final = 1
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_STEADY_SECONDS: Final = 30.0
"""After so long without a fall, the next pause is the first one again."""

Say = Callable[[str], None]


class ChildFailed(Exception):
    """A child did not become ready; the text says where to look."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One part of the system.

    Attributes:
        name: as a person knows it, and of its log file.
        command: program and arguments.
        environment: the whole environment.
        log_path: where its output goes, appended.
        ready_url: answers 200 once the child is ready.
        say: prints a line to the person in front of the terminal.
        echo: also print its output, line by line.
        stop_seconds: how long it may take to end when asked.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log_path: Path
    ready_url: str
    say: Say
    echo: bool = False
    stop_seconds: float = 25.0
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    _keeper: asyncio.Task[None] | None = None
    _echoes: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        running = self.process is not None and self.process.returncode is None
        return self.process.pid if running and self.process is not None else None

    async def start(self) -> None:
        """Start it and keep it running from now on."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until it answers that it is ready.

        Raises:
            ChildFailed: it was not ready in time, or has fallen several times.
        """
        end = monotonic() + seconds
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, self.ready_url):
                if monotonic() > end or self.starts > 3:  # noqa: PLR2004 - a few falls are enough
                    raise ChildFailed(
                        f"{self.name} did not start. Its log says why: {self.log_path}\n"
                        f"{self._last_lines()}"
                    )
                await asyncio.sleep(0.05)

    def let_fall(self) -> None:
        """Do not start it again any more."""
        if self._keeper is not None:
            self._keeper.cancel()

    async def stop(self) -> None:
        """Ask it to end; end it when it does not in time."""
        self.let_fall()
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(self.stop_seconds):
                await self.process.wait()
        except TimeoutError:
            self.say(f"{self.name} did not end in time and was killed")
            self.kill()
            await self.process.wait()

    def kill(self) -> None:
        """End it at once."""
        if self.pid is not None and self.process is not None:
            self.process.kill()

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while self.process is not None:
            began = monotonic()
            code = await self.process.wait()
            if monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            self.say(f"{self.name} ended ({_why(code)}); starting it again. Log: {self.log_path}")
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
            await self._spawn()

    async def _spawn(self) -> None:
        self.starts += 1
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.echo else log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for `up`, which stops all in order
                preexec_fn=_end_with_parent(os.getpid()),
            )
        if self.process.stdout is not None:
            task = asyncio.create_task(self._echo(self.process.stdout))
            self._echoes.add(task)
            task.add_done_callback(self._echoes.discard)

    async def _echo(self, output: asyncio.StreamReader) -> None:
        with self.log_path.open("ab") as log:
            async for line in output:
                _write(log, line)
                self.say(f"{self.name:>12} | {line.decode(errors='replace').rstrip()}")

    def _last_lines(self, count: int = 5) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(f"  {line}" for line in lines)


def _write(log: IO[bytes], line: bytes) -> None:
    log.write(line)
    log.flush()


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """On Linux a child ends when ``up`` does, even if that is killed."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was gone before we asked
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare


def _why(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200  # noqa: PLR2004 - HTTP
    except (aiohttp.ClientError, TimeoutError):
        return False
