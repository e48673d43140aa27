import asyncio
from typing import Any

from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from libs.chassis.lifecycle import LIFE, supervise
from tests.unit.chassis.sample import make_app


async def test_a_task_lives_as_long_as_the_application(aiohttp_client: AiohttpClient) -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("stopped")

    app = make_app()
    supervise(app, "worker", work)
    client = await aiohttp_client(app)

    assert seen == ["started"]
    assert (await (await client.get("/readyz")).json())["checks"]["worker"]["ok"] is True
    await client.close()
    assert seen == ["started", "stopped"]
    assert not app[LIFE].failed


async def test_a_task_is_stopped_before_what_it_uses_is_closed(
    aiohttp_client: AiohttpClient,
) -> None:
    seen: list[str] = []

    async def store(_: web.Application) -> Any:
        seen.append("opened")
        yield
        seen.append("closed")

    async def work() -> None:
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("stopped")

    app = make_app()
    app.cleanup_ctx.append(store)
    supervise(app, "worker", work)
    client = await aiohttp_client(app)
    await client.close()

    assert seen == ["opened", "started", "stopped", "closed"]


async def test_a_dead_task_is_logged_and_makes_the_service_not_ready(
    aiohttp_client: AiohttpClient,
) -> None:
    async def die() -> None:
        raise RuntimeError

    app = make_app()
    supervise(app, "worker", die)
    with capture_logs() as lines:
        client = await aiohttp_client(app)
        await asyncio.wait_for(app[LIFE].ended.wait(), 5)
        answer = await client.get("/readyz")

    assert app[LIFE].failed
    assert answer.status == 503
    assert (await answer.json())["checks"]["worker"] == {
        "ok": False,
        "detail": "the task has ended; the service is about to restart",
    }
    assert [line["part"] for line in lines if line["log_level"] == "error"] == ["worker"]


async def test_a_task_that_will_not_stop_is_left_after_its_time(
    aiohttp_client: AiohttpClient,
) -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    app = make_app()
    supervise(app, "worker", stubborn, stop_seconds=0.05)
    client = await aiohttp_client(app)
    with capture_logs() as lines:
        await client.close()

    assert [line["event"] for line in lines] == ["a part did not stop in time and is left"]
    release.set()
