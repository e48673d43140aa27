"""The intake service on stores in memory, behind a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from libs.events import LeadSubmitted
from services.intake.app import Backend, build_app
from services.intake.settings import IntakeSettings
from tests.unit.intake.fakes import FaultyEventStore, MemoryClaims, TrackedResumes
from tests.unit.intake.forms import CONTENT_TYPE, whole


class ProductionServer(TestServer):
    """aiohttp's test server cancels a handler when its client goes; production does not."""

    async def _make_runner(self, **_: Any) -> web.AppRunner:
        return web.AppRunner(self.app, access_log=None)


class Site:
    """A running service, what it writes to, and a client."""

    def __init__(self, **settings: Any) -> None:
        self.store, self.resumes, self.claims = FaultyEventStore(), TrackedResumes(), MemoryClaims()
        self.settings = IntakeSettings(metrics_port=0, **settings)
        backend = Backend(self.store, self.resumes, self.claims)
        self.app = build_app(self.settings, backend)
        self.client = TestClient(ProductionServer(self.app))

    async def submit(
        self, body: bytes | None = None, *, browser: bool = False, **headers: str
    ) -> ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"} if browser else {}
        return await self.client.post(
            "/leads",
            data=whole() if body is None else body,
            headers={"Content-Type": CONTENT_TYPE} | accept | named,
            allow_redirects=False,
        )

    async def leads(self) -> list[LeadSubmitted]:
        async for batch in self.store.catch_up(after=0):
            return [each.event for each in batch.events if isinstance(each.event, LeadSubmitted)]
        return []

    async def is_untouched(self) -> bool:
        return not await self.leads() and not self.resumes.there and not self.claims.values


@pytest.fixture
async def make_site() -> AsyncIterator[Callable[..., Awaitable[Site]]]:
    sites: list[Site] = []

    async def make(**settings: Any) -> Site:
        site = Site(**settings)
        await site.client.start_server()
        sites.append(site)
        return site

    yield make
    for site in sites:
        await site.client.close()


@pytest.fixture
async def site(make_site: Callable[..., Awaitable[Site]]) -> Site:
    return await make_site()
