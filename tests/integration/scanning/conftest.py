from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from tests.integration.leads.world import World
from tests.support.nats import NatsServer


@pytest.fixture
async def world(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(nats_server, js, tmp_path, stack)
