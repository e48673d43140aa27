"""A stop at any moment of the start ends: none of the tasks goes on for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from tests.integration.notifier.world import notifier, settings_for
from tests.support.nats import NatsServer
from tests.support.smtp import SmtpServer, smtp_server


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


async def test_a_stop_while_it_starts_ends(
    nats_server: NatsServer, js: JetStreamContext, smtp: SmtpServer, tmp_path: Path
) -> None:
    for round_number in range(40):
        async with asyncio.timeout(10), notifier(settings_for(nats_server, smtp, tmp_path)):
            for _ in range(round_number * 3):
                await asyncio.sleep(0)
