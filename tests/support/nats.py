"""A real nats-server for a test, with the shipped configuration and its users.

The services of a test log in with their own keys, ``server.seeds["leads"]``, so that a
permission that is missing fails a test. The test itself is one more user, who may do all.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from libs.events.topology import provision
from services.cli.nats_server import NatsServer as _NatsServer
from services.cli.nats_server import NatsServerProblem, configuration
from tests.support.ports import free_port

USER, PASSWORD = "test", "test-password"


class NatsServer(_NatsServer):
    """A server of a test; ``store_dir`` is the folder of its data.

    ``user`` and ``password`` are the test's own.
    """

    user = USER
    password = PASSWORD

    @property
    def store_dir(self) -> Path:
        return self.store

    async def restart(self) -> None:
        """Kill it and start it again on its port and data."""
        await self.kill()
        await self.start()


def with_test_user(folder: Path, name: str = "leadlog.conf") -> Path:
    """The shipped configuration, with one more user; the path of one of its files."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in configuration().parent.glob("*.conf"):
        text = file.read_text()
        if file.name == "permissions.conf":
            home, users, rest = text.partition("users: [")
            assert home.count(" {\n  jetstream: enabled") == 1, "the first is the streams' account"
            text = f'{home}{users} {{ user: "{USER}", password: "{PASSWORD}" }}{rest}'
        (folder / file.name).write_text(text)
    return folder / name


async def start_nats_server(folder: Path) -> NatsServer:
    """Start a server on free ports, with the shipped configuration and the test as a user."""
    return await _started(folder, with_test_user(folder / "nats-conf"))


async def shipped_nats_server(folder: Path, name: str = "leadlog.conf", **more: str) -> NatsServer:
    """Start a server with the configuration exactly as it is shipped."""
    return await _started(folder, configuration(name), more)


async def _started(folder: Path, config: Path, more: dict[str, str] | None = None) -> NatsServer:
    """Start a server on free ports; another process may take one first, so try again."""
    for _ in range(5):
        server = NatsServer(
            store=folder / "jetstream",
            port=free_port(),
            http_port=free_port(),
            config=config,
            more=more or {},
        )
        try:
            await server.start()
        except NatsServerProblem:
            await server.kill()
        else:
            return server
    raise AssertionError("no nats-server could be started on a free port")


async def _quiet(_error: Exception) -> None:
    """What goes wrong on purpose in a test is not worth a line."""


async def connect(server: NatsServer, ca: str | None = None) -> Client:
    """A client that comes back quickly after the server was away."""
    return await nats.connect(
        server.url,
        user=server.user,
        password=server.password,
        tls=ssl.create_default_context(cafile=ca) if ca else None,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,
        error_cb=_quiet,
        pending_size=64 * 1024 * 1024,
    )


@asynccontextmanager
async def provisioned(server: NatsServer, replicas: int = 1) -> AsyncIterator[JetStreamContext]:
    """A JetStream context on a server that has all streams."""
    client = await connect(server)
    try:
        js = client.jetstream()
        await provision(js, replicas)
        yield js
    finally:
        await client.close()


__all__ = [
    "NatsServer",
    "configuration",
    "connect",
    "provisioned",
    "shipped_nats_server",
    "start_nats_server",
    "with_test_user",
]
