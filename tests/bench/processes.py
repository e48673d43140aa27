"""Starting what is measured, and reading what it cost."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp

from tests.bench.load import Result, Spec
from tests.support.nats import NatsServer, provisioned, start_nats_server
from tests.support.ports import free_port

_TICKS = os.sysconf("SC_CLK_TCK")
AGAINST = "BENCH_AGAINST"
ATTORNEY = "attorney@firm.example.org"


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@asynccontextmanager
async def process(
    log: Path,
    *arguments: str,
    environment: dict[str, str] | None = None,
    checkout: Path | None = None,
) -> AsyncIterator[int]:
    """A Python program as a process, of another checkout if one is named; its id."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEADLOG_")}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        started = await asyncio.create_subprocess_exec(
            sys.executable, *arguments,
            env={**clean, **(environment or {})}, stdout=output, stderr=output, cwd=checkout,
        )  # fmt: skip
        try:
            yield started.pid
        finally:
            with suppress(ProcessLookupError):
                started.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(25):
                    await started.wait()
            except TimeoutError:
                started.kill()
                await started.wait()


async def until_open(port: int, path: str = "", seconds: float = 30) -> None:
    """Wait until a port takes connections and, with a path, answers it with 200."""
    end = monotonic() + seconds
    while True:
        with suppress(OSError, aiohttp.ClientError):
            if not path:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            url = f"http://127.0.0.1:{port}{path}"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                if answer.status == 200:
                    return
        assert monotonic() < end, f"nothing answers on port {port}"
        await asyncio.sleep(0.05)


async def generate(spec: Spec) -> Result:
    """Run the load generator."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await started.communicate(json.dumps(asdict(spec)).encode())
    assert started.returncode == 0, "the load generator failed"
    return Result(**json.loads(out))


@dataclass
class Sink:
    """A running mail sink."""

    port: int
    pid: int

    async def _say(self, line: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await reader.readline()
        writer.write(f"{line}\r\n".encode())
        answer = (await reader.readline()).decode().strip()
        writer.close()
        return answer

    async def count(self) -> int:
        """Mails taken since the last ``take``."""
        return int((await self._say("XCOUNT")).split()[1])

    async def until(self, mails: int, seconds: float) -> None:
        """Wait for so many mails."""
        end = monotonic() + seconds
        while (have := await self.count()) < mails:
            assert monotonic() < end, f"{have} of {mails} mails after {seconds:.0f} s"
            await asyncio.sleep(0.05)

    async def take(self, folder: Path) -> list[tuple[int, float]]:
        """The prospect's number and the instant of each mail; the count starts anew."""
        path = folder / "arrivals.json"
        await self._say(f"XDUMP {path}")
        return [(number, at) for number, at in json.loads(path.read_text())]


@asynccontextmanager
async def sink(folder: Path) -> AsyncIterator[Sink]:
    """A mail server in a process of its own."""
    port = free_port()
    async with process(folder / "sink.log", "-m", "tests.bench.sink", str(port)) as pid:
        await until_open(port)
        yield Sink(port, pid)


@dataclass
class Service:
    """A running service, or the monolith."""

    port: int
    pid: int


@asynccontextmanager
async def monolith(folder: Path, smtp_port: int) -> AsyncIterator[Service]:
    """The FastAPI monolith."""
    port = free_port()
    arguments = ("-m", "tests.bench.monolith", str(port), str(folder / "files"), str(smtp_port))
    async with process(folder / "monolith.log", *arguments) as pid:
        await until_open(port, "/openapi.json")
        yield Service(port, pid)


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[NatsServer]:
    """A nats-server with deploy/nats/leadlog.conf (fsync before each answer) and all streams."""
    server = await start_nats_server(folder)
    try:
        async with provisioned(server):
            pass
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def service(
    name: str,
    nats: NatsServer,
    folder: Path,
    checkout: Path | None = None,
    **settings: object,
) -> AsyncIterator[Service]:
    """One service as a process, ready."""
    port = free_port()
    environment = {
        "LEADLOG_NATS_URL": nats.url,
        "LEADLOG_NATS_USER": nats.user,
        "LEADLOG_NATS_PASSWORD": nats.password,
        f"LEADLOG_{name.upper()}_HTTP_PORT": str(port),
        f"LEADLOG_{name.upper()}_METRICS_PORT": "0",
        **{f"LEADLOG_{name.upper()}_{key.upper()}": str(value) for key, value in settings.items()},
    }
    arguments = ("-m", f"services.{name}")
    log = folder / f"{name}.log"
    async with process(log, *arguments, environment=environment, checkout=checkout) as pid:
        await until_open(port, "/readyz")
        yield Service(port, pid)


def other_checkout() -> Path | None:
    """The checkout named by ``--against``: the state before a change, say."""
    named = os.environ.get(AGAINST)
    return Path(named).resolve() if named else None


def mail_settings(smtp_port: int) -> dict[str, Any]:
    """The notifier's settings that send to a sink."""
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp_port,
        "smtp_tls": "none",
        "mail_from": "office@firm.example.org",
        "attorney_emails": ATTORNEY,
        "inbox_url": "https://leads.firm.example.org",
    }
