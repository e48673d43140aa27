"""Pulling with the quick client and with any other: the same messages, the same faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from libs.chassis.nats_client import QuickClient
from libs.events import Part, RecordedEvent, new_id
from libs.events.jetstream import JetStreamEventStore
from libs.events.jetstream_pull import Pull, Pulled, Refused
from tests.integration.events.support import ids, new, read_until_caught_up, until
from tests.support.nats import NatsServer

SUBJECT = "$JS.API.CONSUMER.MSG.NEXT.LEADS.reader"


@pytest.fixture(params=[QuickClient, Client])
async def client(
    request: pytest.FixtureRequest, nats_server: NatsServer, js: JetStreamContext
) -> AsyncIterator[Client]:
    made: Client = request.param()
    await made.connect(
        nats_server.url,
        user=nats_server.user,
        password=nats_server.password,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,  # type: ignore[arg-type]  # it takes a float
        error_cb=_quiet,
    )
    yield made
    await made.close()


async def _quiet(_error: Exception) -> None:
    """What goes wrong on purpose is not worth a line."""


@pytest.fixture
async def pull(client: Client, js: JetStreamContext) -> AsyncIterator[Pull]:
    config = ConsumerConfig(name="reader", ack_policy=AckPolicy.NONE, mem_storage=True)
    await js.add_consumer("LEADS", config)
    pull = Pull(client, SUBJECT, batch=4, expires=0.3)
    await pull.open()
    yield pull
    await pull.close()


async def publish(js: JetStreamContext, count: int) -> None:
    for number in range(count):
        await js.publish(
            f"leads.{new_id()}.mail", str(number).encode(), headers={"ce-id": f"é{number}"}
        )


async def take(pull: Pull, count: int) -> list[Pulled]:
    taken: list[Pulled] = []
    async with asyncio.timeout(20):
        while len(taken) < count:
            taken += await pull.next()
    return taken


async def test_messages_come_in_order_with_their_headers_and_places(
    pull: Pull, js: JetStreamContext
) -> None:
    await publish(js, 11)
    taken = await take(pull, 11)

    assert [message.payload for message in taken] == [str(n).encode() for n in range(11)]
    assert [message.headers["ce-id"] for message in taken] == [f"é{n}" for n in range(11)]
    assert [message.number for message in taken] == list(range(1, 12))
    assert [message.position for message in taken] == list(range(1, 12))
    assert [message.pending for message in taken] == list(range(10, -1, -1))


async def test_nothing_there_is_an_empty_answer_and_later_messages_still_come(
    pull: Pull, js: JetStreamContext
) -> None:
    async with asyncio.timeout(20):
        assert await pull.next() == []
        assert await pull.next() == []
        await publish(js, 3)
        assert len(await take(pull, 3)) == 3


async def test_while_a_batch_is_worked_on_the_next_one_arrives(
    pull: Pull, js: JetStreamContext
) -> None:
    await publish(js, 30)
    taken = await pull.next()
    await until(lambda: len(pull._messages) >= 4)

    assert len(taken) == 4
    assert len(await take(pull, 26)) == 26


async def test_a_consumer_that_is_gone_is_told_after_what_it_had_sent(
    pull: Pull, js: JetStreamContext
) -> None:
    await publish(js, 2)
    assert len(await take(pull, 2)) == 2
    await js.delete_consumer("LEADS", "reader")
    with pytest.raises(Refused):
        await take(pull, 1)


async def test_after_a_reconnect_it_asks_again(
    pull: Pull, client: Client, js: JetStreamContext
) -> None:
    assert await pull.next() == []
    transport: Any = client._transport
    transport.close()
    await publish(js, 6)

    assert len(await take(pull, 6)) == 6


async def test_what_others_send_to_the_inbox_is_no_message(
    pull: Pull, client: Client, js: JetStreamContext
) -> None:
    for reply in ("", "a.b.c", "$JS.ACK.LEADS.reader.1.x.y.1.z"):
        await client.publish(pull._inbox, b"made up", reply=reply)
    await publish(js, 1)

    assert [message.payload for message in await take(pull, 1)] == [b"0"]


async def test_a_catch_up_reads_the_same_through_either(
    client: Client, js: JetStreamContext
) -> None:
    writer, reader = JetStreamEventStore(js), JetStreamEventStore(client.jetstream())
    written = [new() for _ in range(25)]
    for event in written:
        await writer.append(new_id(), Part.SUBMISSION, [event], expected=0)
    read: list[RecordedEvent] = []
    read, position = await read_until_caught_up(reader, batch_size=7)
    later = new()
    async with asyncio.timeout(20), aclosing(reader.catch_up(after=position)) as batches:
        assert (await anext(batches)).caught_up
        await writer.append(new_id(), Part.SUBMISSION, [later], expected=0)
        while not (batch := await anext(batches)).events:
            pass

    assert ids(read) == [event.id for event in written]
    assert ids(batch.events) == [later.id]
