import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from nats.js.api import StreamConfig
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from libs.chassis import nats_watch
from libs.chassis.lifecycle import LIFE
from libs.chassis.nats import JETSTREAM, NATS, nats_ctx, wait_connected
from libs.chassis.settings import ServiceSettings
from libs.chassis.web import new_app
from tests.integration.chassis.nats_server import NatsServer
from tests.integration.chassis.processes import until

USERS = """
authorization { users: [ {
  user: leads, password: right
  permissions { publish: ["ok.>", "$JS.API.INFO"], subscribe: ["_INBOX_leads.>"] }
} ] }
"""


class LeadsSettings(ServiceSettings, service="leads"):
    pass


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    yield server
    await server.kill()


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path, USERS)
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
def fast_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_watch, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(nats_watch, "ANSWER_SECONDS", 0.2)


def make_app(server: NatsServer, **settings: Any) -> web.Application:
    made = LeadsSettings(nats_url=[server.url], **settings)
    app = new_app(made, service="leads", errors={})
    app.cleanup_ctx.append(nats_ctx(made, "leads"))
    return app


async def becomes(client: TestClient[Any, Any], ready: bool) -> dict[str, Any]:  # noqa: FBT001
    async def probe() -> dict[str, Any] | None:
        response = await client.get("/readyz")
        return await response.json() if (response.status == 200) is ready else None

    return await until(probe)


async def test_the_service_starts_without_the_server_and_is_ready_once_it_comes(
    server: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(server))

    assert (await client.get("/healthz")).status == 200
    answer = await client.get("/readyz")
    assert answer.status == 503
    assert (await answer.json())["checks"]["nats"] == {
        "ok": False,
        "detail": "no connection to the NATS server",
    }

    await server.start()
    assert (await becomes(client, ready=True))["checks"]["nats"]["ok"] is True
    await wait_connected(client.app)
    info = await client.app[JETSTREAM].account_info()
    assert info.streams == 0


async def test_a_server_that_is_killed_and_started_again_is_found_again(
    server: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    await server.start()
    client = await aiohttp_client(make_app(server))
    await becomes(client, ready=True)
    await client.app[JETSTREAM].add_stream(StreamConfig(name="KEPT", subjects=["kept"]))

    await server.kill()
    await becomes(client, ready=False)
    await server.start()
    await becomes(client, ready=True)

    assert (await client.app[JETSTREAM].publish("kept", b"x")).seq == 1
    assert not client.app[LIFE].failed


@pytest.mark.usefixtures("fast_watch")
async def test_a_connection_whose_read_loop_died_is_noticed_and_replaced(
    server: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    await server.start()
    client = await aiohttp_client(make_app(server))
    await becomes(client, ready=True)
    connection = client.app[NATS]
    dead = connection._reading_task
    assert dead is not None

    dead.cancel()
    await asyncio.wait({dead})
    assert connection.is_connected  # so says the client

    await becomes(client, ready=False)
    await becomes(client, ready=True)
    assert await connection.rtt(timeout=2) < 2
    assert connection.stats["reconnects"] == 1


@pytest.mark.usefixtures("fast_watch")
async def test_a_server_that_answers_late_does_not_kill_the_connection(
    server: NatsServer, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_watch, "FAILURES_TO_RECONNECT", 1000)
    await server.start()
    client = await aiohttp_client(make_app(server))
    await becomes(client, ready=True)
    process = server._process
    assert process is not None

    process.send_signal(signal.SIGSTOP)
    await becomes(client, ready=False)
    process.send_signal(signal.SIGCONT)
    await becomes(client, ready=True)

    assert client.app[NATS].stats["reconnects"] == 0


async def test_a_wrong_password_is_a_line_that_says_what_to_do_and_the_service_stays(
    guarded: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    with capture_logs() as lines:
        app = make_app(guarded, nats_user="leads", nats_password="wrong-one")
        client = await aiohttp_client(app)

        async def refused() -> bool:
            return any(line["event"] == "nats: login refused" for line in lines)

        await until(refused)
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/readyz")).status == 503

    (line,) = [line for line in lines if line["event"] == "nats: login refused"]
    assert (
        "refused user 'leads'; check LEADLOG_NATS_NKEY_SEED, or LEADLOG_NATS_USER"
        in (line["advice"])
    )
    assert "wrong-one" not in str(lines)


async def test_a_missing_permission_is_a_line_that_names_the_subject(
    guarded: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    with capture_logs() as lines:
        app = make_app(guarded, nats_user="leads", nats_password="right")
        client = await aiohttp_client(app)
        await becomes(client, ready=True)
        with pytest.raises(nats.errors.TimeoutError):
            await app[NATS].request("forbidden.fruit", b"", timeout=0.2)

        async def told() -> bool:
            return any(line["event"] == "nats: not allowed" for line in lines)

        await until(told)
        await becomes(client, ready=True)

    (line,) = [line for line in lines if line["event"] == "nats: not allowed"]
    assert 'publish to "forbidden.fruit"' in line["reason"]
    assert "user 'leads' lacks the permission" in line["advice"]


async def test_the_connection_is_named_and_its_inbox_is_the_services_own(
    server: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    await server.start()
    client = await aiohttp_client(make_app(server))
    await becomes(client, ready=True)

    assert client.app[NATS].new_inbox().startswith("_INBOX_leads.")
    assert client.app[NATS].options["name"] == "leadlog-leads"


@pytest.mark.usefixtures("fast_watch")
async def test_a_client_that_closed_for_good_takes_the_service_down(
    server: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    await server.start()
    client = await aiohttp_client(make_app(server))
    await becomes(client, ready=True)

    await client.app[NATS].close()

    await asyncio.wait_for(client.app[LIFE].ended.wait(), 5)
    assert client.app[LIFE].failed


async def test_an_orderly_stop_sends_what_is_buffered_and_says_nothing_of_a_loss(
    server: NatsServer, aiohttp_client: AiohttpClient
) -> None:
    await server.start()
    other = await nats.connect(server.url)
    inbox = await other.subscribe("last.words")
    await other.flush()
    with capture_logs() as lines:
        client = await aiohttp_client(make_app(server))
        await becomes(client, ready=True)
        await client.app[NATS].publish("last.words", b"bye")
        await client.close()

    assert (await inbox.next_msg(timeout=2)).data == b"bye"
    await other.close()
    assert client.app[NATS].is_closed
    levels = {line["log_level"] for line in lines}
    assert levels <= {"debug", "info"}
