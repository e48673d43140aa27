"""Three nats-servers on loopback, with the shipped cluster configuration."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from nats.js import JetStreamContext
from nats.js.errors import ServiceUnavailableError

from libs.events.topology import provision
from services.cli.nats_keys import USERS, new_seed
from tests.support.nats import NatsServer, connect, with_test_user
from tests.support.ports import free_port

NODES = 3


@asynccontextmanager
async def cluster(
    folder: Path,
    name: str = "cluster.conf",
    environment: Mapping[str, str] | None = None,
    ca: str | None = None,
) -> AsyncIterator[tuple[list[NatsServer], JetStreamContext]]:
    """Three nodes with all streams on three replicas, and a client connected to one.

    ``name`` is the configuration, ``environment`` what more it asks for, and ``ca`` whom the
    client trusts when it needs TLS.
    """
    ports = [free_port() for _ in range(NODES)]
    routes = {
        f"LEADLOG_NATS_ROUTE_{n}": f"nats://127.0.0.1:{port}" for n, port in enumerate(ports, 1)
    }
    seeds = {user: new_seed() for user in USERS}
    config = with_test_user(folder / "nats-conf", name)
    servers = [
        NatsServer(
            store=folder / f"node-{n}",
            port=free_port(),
            http_port=free_port(),
            seeds=seeds,
            name=f"n{n}",
            config=config,
            more={**routes, **(environment or {}), "LEADLOG_NATS_CLUSTER": f"127.0.0.1:{port}"},
        )
        for n, port in enumerate(ports, 1)
    ]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        client = await connect(servers[0], ca)
        try:
            js = client.jetstream()
            await _provision(js)
            yield servers, js
        finally:
            await client.close()
    finally:
        await asyncio.gather(*(server.kill() for server in servers))


async def _provision(js: JetStreamContext) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await provision(js, NODES)
            except (ServiceUnavailableError, TimeoutError):
                await asyncio.sleep(0.1)  # the cluster has no leader yet
            else:
                return
