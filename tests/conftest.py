import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from nats.js import JetStreamContext

from tests.support.nats import NatsServer, provisioned, start_nats_server


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What one test sets up for its logs is not the next one's."""
    root = logging.getLogger()
    handlers, level, configured = list(root.handlers), root.level, structlog.get_config()
    yield
    structlog.configure(**configured)
    root.handlers[:] = handlers
    root.setLevel(level)


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
