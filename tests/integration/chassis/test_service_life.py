import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from tests.integration.chassis.processes import Service, until
from tests.support.ports import free_port

MODULE = "tests.integration.chassis.service"
Start = Callable[..., Awaitable[Service]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[Service] = []

    async def start_one(*args: str, **settings: str) -> Service:
        service = await Service.start(MODULE, *args, **settings)
        started.append(service)
        return service

    yield start_one
    for service in started:
        await service.kill()


def events(lines: list[dict[str, object]]) -> list[object]:
    return [line["event"] for line in lines]


async def test_it_says_where_it_listens_and_stops_on_sigterm(start: Start) -> None:
    service = await (await start("plain")).ready()
    service.process.send_signal(signal.SIGTERM)

    code, lines, out = await service.ended()
    assert code == 0
    assert events(lines)[0] == "service started"
    assert lines[0]["urls"] == [service.url]
    assert events(lines)[-2:] == ["service stopping", "service stopped"]
    assert "cleaned up" in out


async def test_a_request_in_flight_is_finished_and_no_new_one_taken(start: Start) -> None:
    service = await (await start("plain")).ready()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{service.url}/slow?seconds=1") as response,
    ):
        service.process.send_signal(signal.SIGTERM)

        async def refused() -> bool:
            return await service.status("/healthz") == 0

        await until(refused)
        assert (response.status, await response.text()) == (200, "done")
    assert (await service.ended())[0] == 0


async def test_a_request_that_takes_too_long_is_cut_off(start: Start) -> None:
    service = await (await start("plain", shutdown_seconds="0.5")).ready()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{service.url}/slow?seconds=60") as response,
    ):
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await response.read()

    code, lines, _ = await service.ended()
    assert code == 0
    assert "requests cut off" in events(lines)
    assert time.monotonic() - began < 5


async def test_it_serves_on_and_is_not_ready_for_the_delay_it_was_given(start: Start) -> None:
    service = await (await start("plain", shutdown_delay_seconds="60")).ready()
    service.process.send_signal(signal.SIGTERM)

    async def draining() -> bool:
        return await service.status("/readyz") == 503

    await until(draining)
    assert await service.status("/healthz") == 200


async def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    service = await (await start("plain", shutdown_delay_seconds="60")).ready()
    service.process.send_signal(signal.SIGINT)

    async def draining() -> bool:
        return await service.status("/readyz") == 503

    await until(draining)
    service.process.send_signal(signal.SIGINT)
    assert (await service.ended())[0] == -signal.SIGINT


async def test_closing_is_bounded(start: Start) -> None:
    service = await (await start("stuck", shutdown_seconds="0.5")).ready()
    service.process.send_signal(signal.SIGTERM)

    code, lines, _ = await service.ended()
    assert code == 0
    assert "closing took too long and was given up" in events(lines)


@pytest.mark.parametrize("how", ["raise", "return"])
async def test_the_death_of_a_supervised_task_ends_the_process(how: str, start: Start) -> None:
    service = await (await start(how)).ready()
    await service.status("/kill")

    code, lines, out = await service.ended()
    assert code == 1
    (death,) = [line for line in lines if line["event"] == "a part of the service has died"]
    assert death["part"] == "worker"
    assert ("exception" in death) == (how == "raise")
    assert "Zebedee" not in out
    assert "cleaned up" in out


@pytest.mark.parametrize("setting", ["http_port", "metrics_port"])
async def test_a_port_that_is_taken_is_named_with_the_way_out(setting: str, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = await start("plain", **{setting: str(port)})
        code, lines, _ = await service.ended()

    assert code == 3
    assert lines[-1]["event"] == "service not started"
    reason = str(lines[-1]["reason"])
    assert reason.startswith(f"cannot listen on 127.0.0.1:{port}: it is in use by another program.")
    assert f"LEADLOG_<SERVICE>_{setting.upper()}" in reason


async def test_metrics_have_a_port_of_their_own(start: Start) -> None:
    port = free_port()
    service = await (await start("plain", metrics_port=str(port))).ready()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        text = await response.text()

    assert response.headers["Content-Type"].startswith("text/plain")
    assert 'http_requests_total{method="GET",route="/readyz",status="200"}' in text
    assert await service.status("/metrics") == 404


async def test_a_stop_while_it_is_starting_is_obeyed(start: Start) -> None:
    service = await start("endless")
    assert service.process.stdout is not None
    assert await service.process.stdout.readline() == b"opening\n"
    service.process.send_signal(signal.SIGTERM)

    code, lines, out = await service.ended()
    assert code == 0
    assert events(lines) == ["service stopped before it had started"]
    assert "cleaned up" in out


async def test_a_failed_start_closes_what_was_opened_and_exits_with_1(start: Start) -> None:
    service = await start("broken")

    code, lines, out = await service.ended()
    assert code == 1
    assert events(lines) == ["service not started"]
    assert "cleaned up" in out
    assert "Zebedee" not in out
