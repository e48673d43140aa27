from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.up import Person, Up


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    """The whole system, started as ``make run`` does."""
    system = Up(tmp_path / "data")
    try:
        await system.start()
        yield system
    finally:
        await system.stop()


@pytest.fixture
async def person(up: Up) -> AsyncIterator[Person]:
    """Somebody with an HTTP client."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Person(up, session)
