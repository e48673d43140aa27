from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext

from libs.events.topology import provision
from tests.integration.leads.server import NatsServer
from tests.integration.leads.world import World


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path / "jetstream")
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
async def js(nats_server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    context = client.jetstream(timeout=2)
    await provision(context)
    yield context
    await client.close()


@pytest.fixture
async def world(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(nats_server.url, js, tmp_path, stack)
