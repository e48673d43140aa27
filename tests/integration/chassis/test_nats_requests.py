"""Requests of the quick client and of any other: the same answers, the same faults."""

import asyncio
from collections.abc import AsyncIterator

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from libs.chassis.nats_client import QuickClient
from tests.support.nats import NatsServer


@pytest.fixture(params=[QuickClient, Client])
async def client(request: pytest.FixtureRequest, nats_server: NatsServer) -> AsyncIterator[Client]:
    made: Client = request.param()
    await made.connect(nats_server.url, user=nats_server.user, password=nats_server.password)
    yield made
    await made.close()


async def echo(message: Msg) -> None:
    await message.respond(message.data)


async def test_each_of_many_requests_gets_its_own_answer(client: Client) -> None:
    await client.subscribe("echo", cb=echo)
    sent = [str(number).encode() for number in range(50)]
    answers = await asyncio.gather(*(client.request("echo", data, timeout=10) for data in sent))
    assert [answer.data for answer in answers] == sent
    assert client._resp_map == {}


async def test_the_headers_of_request_and_answer_arrive(client: Client) -> None:
    async def answer(message: Msg) -> None:
        await client.publish(message.reply, b"", headers={"Asked": (message.headers or {})["Name"]})

    await client.subscribe("headers", cb=answer)
    message = await client.request("headers", timeout=10, headers={"Name": "value"})
    assert message.headers == {"Asked": "value"}


async def test_without_anybody_to_answer_that_is_said_at_once(client: Client) -> None:
    with pytest.raises(nats.errors.NoRespondersError):
        await client.request("nobody", timeout=10)


async def test_without_an_answer_in_time_nothing_is_left_behind(client: Client) -> None:
    await client.subscribe("silence")
    with pytest.raises(nats.errors.TimeoutError):
        await client.request("silence", timeout=0)
    assert client._resp_map == {}


async def test_a_late_second_answer_is_nobodys(client: Client) -> None:
    async def twice(message: Msg) -> None:
        await message.respond(b"first")
        await message.respond(b"second")

    await client.subscribe("twice", cb=twice)
    await client.subscribe("echo", cb=echo)
    assert (await client.request("twice", timeout=10)).data == b"first"
    assert (await client.request("echo", b"third", timeout=10)).data == b"third"


async def test_a_request_that_is_cancelled_leaves_nothing_behind(client: Client) -> None:
    asked = asyncio.Event()

    async def hear(_message: Msg) -> None:
        asked.set()

    await client.subscribe("silence", cb=hear)
    waiting = asyncio.create_task(client.request("silence", timeout=10))
    await asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert client._resp_map == {}
