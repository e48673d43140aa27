import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from libs.chassis.headers import DEFAULT_CSP
from libs.chassis.logs import configure_logging
from libs.chassis.metrics import METRICS
from tests.unit.chassis.sample import make_app

MARKED = "Zebedee Marked"
PROBLEM = "application/problem+json"


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> TestClient[Any, Any]:
    return await aiohttp_client(make_app())


async def test_a_well_formed_request_id_is_kept(client: TestClient[Any, Any]) -> None:
    response = await client.get("/healthz", headers={"X-Request-Id": "abc-1.2_3"})

    assert response.headers["X-Request-Id"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b', "é"])
async def test_any_other_request_id_is_replaced(given: str, client: TestClient[Any, Any]) -> None:
    response = await client.get("/healthz", headers={"X-Request-Id": given})

    assert len(response.headers["X-Request-Id"]) == 32


async def test_every_answer_carries_the_security_headers(client: TestClient[Any, Any]) -> None:
    for path in ("/healthz", "/nowhere", "/docs", "/moved"):
        response = await client.get(path, allow_redirects=False)

        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Content-Security-Policy"] == DEFAULT_CSP
        assert response.headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in response.headers["Server"]


async def test_a_handlers_own_headers_stay(client: TestClient[Any, Any]) -> None:
    response = await client.get("/own-headers")

    assert response.headers["Cache-Control"] == "max-age=60"
    assert response.headers["Content-Security-Policy"] == "frame-ancestors *"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_unknown_address_is_a_problem(client: TestClient[Any, Any]) -> None:
    response = await client.get("/nowhere", headers={"X-Request-Id": "r7"})

    assert response.status == 404
    assert response.content_type == PROBLEM
    assert await response.json() == {
        "type": "urn:leadlog:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this address.",
        "instance": "urn:leadlog:request:r7",
    }


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    client: TestClient[Any, Any],
) -> None:
    response = await client.delete("/things")

    assert response.status == 405
    assert response.content_type == PROBLEM
    assert response.headers["Allow"] == "GET,HEAD"


async def test_trace_is_no_method_here(client: TestClient[Any, Any]) -> None:
    assert (await client.request("TRACE", "/things")).status == 405


async def test_a_redirect_passes(client: TestClient[Any, Any]) -> None:
    response = await client.get("/moved", allow_redirects=False)

    assert (response.status, response.headers["Location"]) == (303, "/elsewhere")


@pytest.mark.parametrize(
    ("how", "status", "slug"),
    [
        ("bug", 500, "internal"),
        ("model", 422, "validation"),
        ("table", 409, "alarming"),
        ("store", 503, "store-unavailable"),
    ],
)
@pytest.mark.usefixtures("restore_logging")
async def test_an_exception_becomes_a_problem_and_its_text_goes_nowhere(
    how: str,
    status: int,
    slug: str,
    client: TestClient[Any, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("leads", "debug", "json")
    response = await client.post(f"/fail/{how}?name={MARKED}", data=MARKED)

    assert response.status == status
    assert response.content_type == PROBLEM
    document = await response.text()
    assert json.loads(document)["type"] == f"urn:leadlog:problem:{slug}"
    out = capsys.readouterr().out
    assert f'"problem": "{slug}"' in out or "unexpected error" in out
    assert "Zebedee" not in document + out
    assert "127.0.0.1" not in out


async def test_a_missing_store_says_when_to_come_back(client: TestClient[Any, Any]) -> None:
    response = await client.post("/fail/store")

    assert response.headers["Retry-After"] == "5"


@pytest.mark.usefixtures("restore_logging")
async def test_one_line_a_request_with_the_route_and_no_query(
    client: TestClient[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("leads", "info", "json")
    await client.post("/fail/not?q=secret", headers={"X-Request-Id": "r9"})

    handled, request = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (handled["event"], handled["request_id"]) == ("handled", "r9")
    assert request.pop("ms") >= 0
    del request["timestamp"]
    assert request == {
        "event": "request",
        "method": "POST",
        "route": "/fail/{how}",
        "status": 200,
        "request_id": "r9",
        "level": "info",
        "service": "leads",
    }


@pytest.mark.usefixtures("restore_logging")
async def test_a_bug_is_logged_with_its_place_and_request(
    client: TestClient[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("leads", "info", "json")
    await client.post("/fail/bug", headers={"X-Request-Id": "r9"})

    bug, request = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (bug["event"], bug["level"], bug["request_id"]) == ("unexpected error", "error", "r9")
    assert bug["exception"]["type"] == "RuntimeError"
    assert "sample.py" in bug["exception"]["frames"][-1]
    assert request["status"] == 500


async def test_requests_are_counted_by_route_and_not_by_address(
    client: TestClient[Any, Any],
) -> None:
    await client.get("/things/0199c0de-7a1e-7000-8000-000000000001/picture")
    await client.get("/nowhere/4711")
    await client.request("PROPFIND", "/things")

    text = client.app[METRICS].exposition().decode()
    sample = 'http_requests_total{method="GET",route="/things/{id}/picture",status="200"} 1.0'
    assert sample in text
    assert 'http_requests_total{method="OTHER",route="unmatched",status="405"} 1.0' in text
    assert 'http_request_duration_seconds_count{method="GET",route="/things/{id}/picture"}' in text
    assert "process_cpu_seconds_total" in text
    assert "4711" not in text


async def test_a_response_that_fails_midway_is_cut_off_and_not_patched_up(
    client: TestClient[Any, Any],
) -> None:
    with capture_logs() as lines:
        response = await client.get("/half")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert "response cut off" in [line["event"] for line in lines]


async def until_logged(lines: list[Any], event: str) -> None:
    async with asyncio.timeout(5):
        while not any(line["event"] == event for line in lines):  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.01)


async def test_a_client_that_hangs_up_midway_is_no_error() -> None:
    # As in production; aiohttp's test server would cancel the handler.
    runner = web.AppRunner(make_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    with capture_logs() as lines:
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /swallow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome")
        await until_logged(lines, "reading")
        writer.transport.abort()
        await until_logged(lines, "request")

    assert [line["event"] for line in lines] == ["reading", "the client went away", "request"]
    assert lines[-1]["status"] == 499
    await runner.cleanup()
    assert {line["log_level"] for line in lines} == {"info"}


@pytest.mark.usefixtures("restore_logging")
async def test_what_is_not_http_is_one_quiet_line_without_its_text(
    client: TestClient[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("leads", "info", "json")
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET /?name=Zebedee HTTP/1.1\r\nZebedee Marked\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.0 400 ")
    writer.close()

    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["event"], line["level"]) == ("request refused: not valid HTTP", "info")
    assert "Zebedee" not in str(line)
