"""Everything that runs: nodes, two or more of each service, the mail server, the wires."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.cli.nats_keys import OPERATOR, USERS, new_seed, server_environment
from services.cli.nats_server import find_binary
from services.cli.orphans import end_with_parent
from tests.chaos.network import Wire
from tests.chaos.programs import Program
from tests.support.nats import PASSWORD, USER, with_test_user
from tests.support.ports import free_port

__all__ = ["PASSWORD", "USER", "System", "running"]

HOST = "127.0.0.1"
ATTORNEY = "attorney@firm.example.org"
INBOX = "https://leads.firm.example.org"
CONCURRENCY = 8
"""Leads in hand at once in one notifier: what can be in flight when it is killed."""
ACK_WAIT = 20.0
_NOWHERE = f"{HOST}:1"


@dataclass(eq=False)
class Service:
    """A program with the address that its users know."""

    program: Program
    port: int

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@dataclass(eq=False)
class System:
    """What runs in one folder.

    Attributes:
        nodes: how many nats-servers; each stream has as many replicas.
        replicas: of each service.
        kinds: which services run.
        stores: where the nodes keep their data, if not in the folder.
        config: of the nodes, if not one of those that are shipped.
    """

    folder: Path
    nodes: int = 3
    replicas: int = 2
    kinds: tuple[str, ...] = ("intake", "leads", "notifier")
    stores: Path | None = None
    config: Path | None = None
    programs: dict[str, Program] = field(default_factory=dict)
    services: dict[str, list[Service]] = field(default_factory=dict)
    nats_urls: list[str] = field(default_factory=list)
    password: str = ""
    seeds: dict[str, str] = field(default_factory=lambda: {user: new_seed() for user in USERS})
    _monitors: list[str] = field(default_factory=list)
    _relay: asyncio.subprocess.Process | None = None

    @property
    def mails(self) -> Path:
        """Where the mail server keeps what it took."""
        return self.folder / "mails"

    def database(self, name: str) -> Path:
        """The read model of a leads replica."""
        return self.folder / "read-models" / f"{name}.sqlite"

    def names(self, *kinds: str) -> list[str]:
        """Of the programs of some kinds, such as ``node`` or ``intake``."""
        return [name for name in self.programs if name.rstrip("0123456789") in kinds]

    @property
    def nats_environment(self) -> dict[str, str]:
        """How a service or a command finds NATS."""
        return {
            "LEADLOG_NATS_URL": ",".join(self.nats_urls),
            "LEADLOG_NATS_MONITOR_URL": ",".join(self._monitors),
        }

    def as_user(self, user: str) -> dict[str, str]:
        """The same with the key of one of NATS's users."""
        return {**self.nats_environment, "LEADLOG_NATS_NKEY_SEED": self.seeds[user]}

    async def start(self) -> None:
        """Start all of it and wait until it is ready."""
        await self._start_nodes()
        await self._command("provision", "--replicas", str(self.nodes))
        told = await self._command("account", "create", ATTORNEY)
        found = re.search(r"Password.*: (\S+)", told)
        assert found, told
        self.password = found[1]
        self._add_mail_server()
        for kind in self.kinds:
            self.services[kind] = [
                self.service(kind, f"{kind}{n}") for n in range(1, self.replicas + 1)
            ]
        rest = [self.programs[name] for name in self.names("mail", *self.kinds)]
        for program in rest:
            await program.start()
        await asyncio.gather(*(program.until_ready(60) for program in rest))

    async def stop(self) -> None:
        """End all of it; what is stopped or hangs is killed."""
        services = self.names("intake", "leads", "notifier")
        await asyncio.gather(*(self.programs[name].stop() for name in services))
        await asyncio.gather(*(program.stop() for program in self.programs.values()))
        if self._relay is not None and self._relay.returncode is None:
            self._relay.kill()
            await self._relay.wait()

    def service(self, kind: str, name: str) -> Service:
        """A service as a program, as its users start it; not started yet."""
        port, prefix = free_port(), f"LEADLOG_{kind.upper()}_"
        settings = {
            "HTTP_PORT": str(port),
            "METRICS_PORT": "0",
            **(self._mail_settings() if kind == "notifier" else {}),
            **({"DATABASE": str(self.database(name))} if kind == "leads" else {}),
            # The attorney of this test logs in once.
            **({"ACCESS_TOKEN_SECONDS": "3600"} if kind == "leads" else {}),
        }
        program = self._program(
            name,
            [sys.executable, "-m", f"services.{kind}"],
            {**self.as_user(kind), **{prefix + key: value for key, value in settings.items()}},
            f"http://{HOST}:{port}/readyz",
        )
        return Service(program, port)

    async def wire(self, command: str, node: str) -> None:
        """``cut`` a node off from the others, or ``heal`` it."""
        assert self._relay is not None, "a single node has no wires"
        assert self._relay.stdin is not None
        assert self._relay.stdout is not None
        self._relay.stdin.write(f"{command} {node}\n".encode())
        await self._relay.stdout.readline()

    async def _start_nodes(self) -> None:
        names = [f"node{n}" for n in range(1, self.nodes + 1)]
        between = {name: free_port() for name in names}
        wires = [
            Wire(free_port(), between[to], (here, to))
            for here in names
            for to in names
            if here != to
        ]
        if wires:
            await self._start_relay(wires)
        for name in names:
            self._add_node(name, between, wires)
        nodes = [self.programs[name] for name in names]
        for node in nodes:
            await node.start()
        await asyncio.gather(*(node.until_ready(30) for node in nodes))

    def _add_node(self, name: str, between: dict[str, int], wires: list[Wire]) -> None:
        port, page = free_port(), free_port()
        file = "cluster.conf" if self.nodes > 1 else "leadlog.conf"
        # One more user, for whoever compares afterwards; the services have their own.
        shipped = with_test_user(self.folder / "nats-conf", file)
        environment = {
            "LEADLOG_NATS_NAME": name,
            "LEADLOG_NATS_LISTEN": f"{HOST}:{port}",
            "LEADLOG_NATS_HTTP": f"{HOST}:{page}",
            "LEADLOG_NATS_STORE": str((self.stores or self.folder) / name),
            **server_environment(self.seeds),
            "LEADLOG_NATS_CLUSTER": f"{HOST}:{between[name]}",
        }
        routes = {wire.ends[1]: wire.listen for wire in wires if wire.ends[0] == name}
        for number, other in enumerate(between, 1):
            at = routes.get(other, between[other])
            environment[f"LEADLOG_NATS_ROUTE_{number}"] = f"nats://{HOST}:{at}"
        command = [str(find_binary()), "--config", str(self.config or shipped)]
        if self.nodes > 1:
            # Nodes tell each other where the others are. Nobody may learn a way round the relay.
            command += ["--cluster_advertise", _NOWHERE]
        self._program(name, command, environment, f"http://{HOST}:{page}/healthz")
        self.nats_urls.append(f"nats://{HOST}:{port}")
        self._monitors.append(f"http://{HOST}:{page}")

    async def _start_relay(self, wires: list[Wire]) -> None:
        self._relay = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.network",
            json.dumps([[wire.listen, wire.to, *wire.ends] for wire in wires]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=end_with_parent(),
        )  # fmt: skip
        assert self._relay.stdout is not None
        assert await self._relay.stdout.readline() == b"ready\n"

    def _add_mail_server(self) -> None:
        self._smtp_port, page = free_port(), free_port()
        command = [sys.executable, "-m", "services.cli.mail_catcher", "--host", HOST]
        command += ["--smtp-port", str(self._smtp_port), "--http-port", str(page)]
        command += ["--folder", str(self.mails)]
        self._program("mail", command, {}, f"http://{HOST}:{page}/healthz")

    def _mail_settings(self) -> dict[str, str]:
        return {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self._smtp_port),
            "SMTP_TLS": "none",
            "MAIL_FROM": "office@firm.example.org",
            "ATTORNEY_EMAILS": ATTORNEY,
            "INBOX_URL": INBOX,
            "CONCURRENCY": str(CONCURRENCY),
            "ACK_WAIT_SECONDS": str(ACK_WAIT),
            "RETRY_BASE_SECONDS": "0.5",
            "RETRY_CAP_SECONDS": "4",
        }

    def _program(
        self, name: str, command: list[str], environment: dict[str, str], ready_url: str
    ) -> Program:
        program = Program(
            name=name,
            command=command,
            environment=environment,
            log=self.folder / "logs" / f"{name}.log",
            ready_url=ready_url,
        )
        self.programs[name] = program
        return program

    async def _command(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.main", *arguments,
            env={**os.environ, **self.as_user(OPERATOR), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, out.decode()
        return out.decode()


@asynccontextmanager
async def running(system: System) -> AsyncIterator[System]:
    """Start a system, and leave nothing of it behind."""
    try:
        await system.start()
        yield system
    finally:
        await system.stop()
