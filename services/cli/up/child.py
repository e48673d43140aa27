"""A child process that is kept running until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, Final

import aiohttp

from services.cli.orphans import end_with_parent

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_STEADY_SECONDS: Final = 30.0
"""After so long without a fall, the next pause is the first one again."""
_LARGE_LOG: Final = 20 * 1024 * 1024
_LONGEST_LINE: Final = 1024 * 1024

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
        inherits: descriptors that it keeps open as long as it lives.
        restarted: called after it was started again.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log_path: Path
    ready_url: str
    say: Say
    echo: bool = False
    stop_seconds: float = 25.0
    inherits: tuple[int, ...] = ()
    restarted: Callable[[], None] = lambda: None
    process: asyncio.subprocess.Process | None = None
    _log_begins: int = 0
    _keeper: asyncio.Task[None] | None = None
    _echoes: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        running = self.process is not None and self.process.returncode is None
        return self.process.pid if running and self.process is not None else None

    async def start(self) -> None:
        """Start it; ``wait_ready`` is to follow."""
        _put_away(self.log_path)
        await self._spawn()

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until it answers that it is ready, and keep it running from then on.

        Raises:
            ChildFailed: it ended, or was not ready in time.
        """
        end = monotonic() + seconds
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, self.ready_url):
                if self.pid is None or monotonic() > end:
                    raise ChildFailed(self._why_not())
                await asyncio.sleep(0.05)
        self._keeper = asyncio.create_task(self._keep())

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
            self.restarted()

    async def _spawn(self) -> None:
        with self.log_path.open("ab") as log:
            self._log_begins = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.echo else log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for `up`, which stops all in order
                preexec_fn=end_with_parent(),
                pass_fds=self.inherits,
                limit=_LONGEST_LINE,
            )
        if self.process.stdout is not None:
            task = asyncio.create_task(self._echo(self.process.stdout))
            self._echoes.add(task)
            task.add_done_callback(self._echoes.discard)

    async def _echo(self, output: asyncio.StreamReader) -> None:
        with self.log_path.open("ab") as log:
            while line := await _line(output):
                _write(log, line)
                self.say(f"{self.name:>12} | {line.decode(errors='replace').rstrip()}")

    def _why_not(self, count: int = 8) -> str:
        code = self.process.returncode if self.process is not None else None
        how = "is not ready yet" if code is None else f"ended ({_why(code)})"
        log = self.log_path.read_bytes()[self._log_begins :]
        lines = log.decode(errors="replace").splitlines()[-count:]
        said = "".join(f"\n  {line}" for line in lines)
        return f"{self.name} did not start: it {how}.{said}\nIts log: {self.log_path}"


def _put_away(log: Path) -> None:
    """Begin a new file when the old one is large; the one before that is dropped."""
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_name(f"{log.name}.1"))


async def _line(output: asyncio.StreamReader) -> bytes:
    """The next line; of an endless one only a note, for its sender must not be held up."""
    try:
        return await output.readline()
    except ValueError:
        return b"(a line too long to show)\n"


def _write(log: IO[bytes], line: bytes) -> None:
    log.write(line)
    log.flush()


def _why(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200  # noqa: PLR2004 - HTTP
    except (aiohttp.ClientError, TimeoutError):
        return False
