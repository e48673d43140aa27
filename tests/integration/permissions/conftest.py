from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.events.topology import provision
from services.cli.nats_server import NatsServer
from tests.integration.permissions.users import user
from tests.support.nats import shipped_nats_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server with the configuration as it is shipped, with all streams."""
    server = await shipped_nats_server(tmp_path)
    try:
        async with user(server, "operator") as operator:
            await provision(operator.client.jetstream())
        yield server
    finally:
        await server.kill()
