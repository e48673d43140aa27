from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from tests.support.nats import NatsServer, provisioned, start_nats_server


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A nats-server of the test's own, without streams."""
    server = await start_nats_server(tmp_path)
    yield server
    await server.kill()


@pytest.fixture
async def js(nats_server: NatsServer) -> AsyncIterator[JetStreamContext]:
    """A JetStream context on ``nats_server``, with all streams."""
    async with provisioned(nats_server) as context:
        yield context
