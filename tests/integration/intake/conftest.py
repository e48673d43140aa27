"""The intake service, as it runs in production, on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from nats.js import JetStreamContext
from pydantic import SecretStr

from libs.events import LeadSubmitted, RecordedEvent
from libs.events.jetstream import JetStreamEventStore
from services.intake.app import build_app
from services.intake.settings import IntakeSettings
from tests.support.nats import NatsServer
from tests.unit.intake.forms import CONTENT_TYPE, whole


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.02)


class Replica:
    """One instance of the service, and a client of it."""

    def __init__(self, app: web.Application, session: aiohttp.ClientSession, port: int) -> None:
        self.app, self.session, self.port = app, session, port
        self.url = f"http://127.0.0.1:{port}"

    async def submit(self, body: bytes | None = None, **headers: str) -> aiohttp.ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.session.post(
            f"{self.url}/leads",
            data=whole() if body is None else body,
            headers={"Content-Type": CONTENT_TYPE} | named,
            allow_redirects=False,
        )

    async def checks(self) -> dict[str, Any]:
        async with self.session.get(f"{self.url}/readyz") as answer:
            checks: dict[str, Any] = (await answer.json())["checks"]
            return {**checks, "status": answer.status}

    async def is_ready(self) -> bool:
        return bool((await self.checks())["status"] == 200)


@pytest.fixture
async def start(
    nats_server: NatsServer, js: JetStreamContext
) -> AsyncIterator[Callable[..., Awaitable[Replica]]]:
    async with AsyncExitStack() as stack:

        async def begin(**unchecked: Any) -> Replica:
            settings = IntakeSettings(
                nats_url=[nats_server.url],
                nats_nkey_seed=SecretStr(nats_server.seeds["intake"]),
                metrics_port=0,
            )
            app = build_app(settings.model_copy(update=unchecked))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            session = await stack.enter_async_context(aiohttp.ClientSession())
            replica = Replica(runner.app, session, runner.addresses[0][1])
            await until(replica.is_ready)
            return replica

        yield begin


@pytest.fixture
async def replica(start: Callable[..., Awaitable[Replica]]) -> Replica:
    return await start()


async def submitted(js: JetStreamContext) -> list[RecordedEvent]:
    async for batch in JetStreamEventStore(js).catch_up(after=0):
        return [each for each in batch.events if isinstance(each.event, LeadSubmitted)]
    return []


async def messages(js: JetStreamContext, stream: str) -> int:
    return (await js.stream_info(stream)).state.messages
