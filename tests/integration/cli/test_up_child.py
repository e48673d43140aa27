"""A child process of ``leadlog up``: ready, fallen, started again, stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.cli.up.child import Child, ChildFailed
from tests.support.ports import free_port

SERVER = """
import signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Ok(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("about to serve", flush=True)
print("x" * 3_000_000, flush=True) if "--loud" in sys.argv else None
print("serving", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Ok).serve_forever()
"""

Make = Callable[..., Child]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Child] = []

    def one(*more: str, code: str = SERVER, echo: bool = False) -> Child:
        port = free_port()
        said: list[str] = []
        child = Child(
            name="part",
            command=[sys.executable, "-c", code, str(port), *more],
            environment=dict(os.environ),
            log_path=tmp_path / "part.log",
            ready_url=f"http://127.0.0.1:{port}/",
            say=said.append,
            echo=echo,
            stop_seconds=20,
        )
        made.append(child)
        return child

    yield one
    for child in made:
        child.let_fall()
        child.kill()
        await child.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.02)


async def test_it_is_started_again_after_a_fall_and_one_line_says_so(make: Make) -> None:
    child = make()
    lines: list[str] = []
    told: list[int | None] = []
    child.say, child.restarted = lines.append, lambda: told.append(child.pid)
    await child.start()
    await child.wait_ready()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: bool(told))
    assert told == [child.pid]
    assert child.pid != first
    [line] = lines
    assert line.startswith("part ended (by signal SIGKILL); starting it again.")
    assert str(child.log_path) in line


async def test_one_that_ends_at_its_start_is_not_waited_for(make: Make) -> None:
    child = make(code="print('old words')")
    await child.start()
    with pytest.raises(ChildFailed, match="old words"):
        await child.wait_ready()
    child.command[2] = "import sys; print('the reason'); sys.exit(3)"
    await child.start()
    with pytest.raises(ChildFailed) as caught:
        await child.wait_ready()
    text = str(caught.value)
    assert text.startswith("part did not start: it ended (exit code 3).\n  the reason\n")
    assert "old words" not in text
    assert str(child.log_path) in text


async def test_one_that_never_answers_is_given_up(make: Make) -> None:
    child = make(code="import signal; signal.pause()")
    await child.start()
    with pytest.raises(ChildFailed, match="it is not ready yet"):
        await child.wait_ready(seconds=0.2)


async def test_it_ends_when_asked_and_stays_down(make: Make) -> None:
    child = make()
    await child.start()
    await child.wait_ready()
    await child.stop()
    assert child.pid is None
    assert child.process is not None
    assert child.process.returncode == -signal.SIGTERM


async def test_one_that_does_not_end_is_killed_and_that_is_said(make: Make) -> None:
    child = make("--stubborn")
    lines: list[str] = []
    child.say, child.stop_seconds = lines.append, 0.2
    await child.start()
    await child.wait_ready()
    await child.stop()
    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL
    assert lines == ["part did not end in time and was killed"]


async def test_an_endless_line_holds_nothing_up(make: Make) -> None:
    child = make("--loud", echo=True)
    lines: list[str] = []
    child.say = lines.append
    await child.start()
    await child.wait_ready()
    await until(lambda: any(line.endswith("| serving") for line in lines))
    assert lines[0] == "        part | about to serve"
    log = child.log_path.read_text()
    assert "a line too long to show" in log
    assert "serving" in log


async def test_a_large_log_is_put_away_at_the_next_start(make: Make) -> None:
    child = make()
    child.log_path.write_bytes(b"x" * (20 * 1024 * 1024 + 1))
    await child.start()
    await child.wait_ready()
    assert child.log_path.stat().st_size < 1000
    assert child.log_path.with_name("part.log.1").stat().st_size > 20 * 1024 * 1024
