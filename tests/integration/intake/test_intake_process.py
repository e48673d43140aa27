"""The service as a process: what it writes, how it stops, what it says about settings."""

import asyncio
import signal
from collections.abc import AsyncIterator

import aiohttp
import pytest
from nats.js import JetStreamContext

from tests.integration.chassis.processes import Service, until
from tests.integration.intake.conftest import submitted
from tests.support.nats import NatsServer
from tests.unit.intake.documents import PDF
from tests.unit.intake.forms import CONTENT_TYPE, whole


@pytest.fixture
async def service(nats_server: NatsServer, js: JetStreamContext) -> AsyncIterator[Service]:
    service = await Service.start(
        "services.intake",
        nats_url=nats_server.url,
        nats_nkey_seed=nats_server.seeds["intake"],
        log_format="json",
    )
    await service.ready()
    yield service
    if service.process.returncode is None:
        await service.kill()


async def submit(service: Service, body: bytes, **headers: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{service.url}/leads",
            data=body,
            headers={"Content-Type": CONTENT_TYPE} | headers,
            allow_redirects=False,
        ) as answer,
    ):
        return answer.status


async def test_it_serves_and_stops_in_order(service: Service, js: JetStreamContext) -> None:
    assert await submit(service, whole()) == 202
    service.process.send_signal(signal.SIGTERM)
    code, lines, output = await service.ended()
    assert code == 0, output
    assert [line["event"] for line in lines][-1] == "service stopped"
    assert len(await submitted(js)) == 1


async def test_an_upload_that_is_still_arriving_when_it_stops_is_taken(
    service: Service, js: JetStreamContext
) -> None:
    body = whole(PDF + b" " * 3_000_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    head = f"POST /leads HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:100_000])
    await writer.drain()
    assert await submit(service, whole()) == 202  # it has surely read the first part by now
    service.process.send_signal(signal.SIGTERM)

    async def refused() -> bool:
        return await service.status("/healthz") == 0

    await until(refused)
    writer.write(body[100_000:])
    await writer.drain()
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 202 ")
    writer.close()
    assert (await service.ended())[0] == 0
    assert len(await submitted(js)) == 2


async def test_what_a_person_typed_is_in_no_line_it_writes(
    service: Service, nats_server: NatsServer
) -> None:
    sent = whole(PDF, "Zqfile.pdf", first_name="Zqname", email="zqmail@example.com", message="Zqm")
    assert await submit(service, sent, **{"Idempotency-Key": "Zqkey"}) == 202
    assert await submit(service, whole(first_name="Zqname", email="Zqbad")) == 422
    await nats_server.kill()
    answers = await asyncio.gather(submit(service, sent), submit(service, sent, Accept="text/html"))
    assert list(answers) == [503, 503]
    service.process.send_signal(signal.SIGTERM)
    _, lines, output = await service.ended()
    statuses = [line["status"] for line in lines if line["event"] == "request"]
    assert statuses == [202, 422, 503, 503]
    assert "zq" not in output.lower()


async def test_a_wrong_setting_is_named() -> None:
    service = await Service.start("services.intake", intake_allowed_origins="*")
    code, _, output = await service.ended()
    assert code == 2
    assert "LEADLOG_INTAKE_ALLOWED_ORIGINS" in output
    assert "exact origins" in output
