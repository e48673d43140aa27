"""Two writers whose groups want the same keys: each key is written once, on one node and three."""

import asyncio
from pathlib import Path

from nats.js import JetStreamContext

from libs.chassis.group_commit import WORTH_A_BATCH, GroupCommit
from libs.chassis.jetstream import WrongSequence
from tests.support.cluster import cluster
from tests.support.nats import NatsServer, connect

KEYS = 5 * WORTH_A_BATCH
ROUNDS = 6


async def won(group: GroupCommit, writer: str, round_: int, number: int) -> bool:
    key = f"$KV.SETTINGS.{round_}-{number}"
    headers = {
        "Nats-Msg-Id": f"{writer}-{round_}-{number}",
        "Nats-Expected-Last-Subject-Sequence": "0",
        "Nats-Expected-Last-Subject-Sequence-Subject": key,
    }
    try:
        await group.publish(key, writer.encode(), headers)
    except WrongSequence:
        return False
    return True


async def race(one: JetStreamContext, other: JetStreamContext) -> None:
    groups = {"one": GroupCommit(one), "other": GroupCommit(other)}
    for round_ in range(ROUNDS):
        results = await asyncio.gather(
            *(
                won(group, writer, round_, number)
                # In opposite orders, so that the groups meet in the middle.
                for writer, group, numbers in (
                    ("one", groups["one"], range(KEYS)),
                    ("other", groups["other"], range(KEYS - 1, -1, -1)),
                )
                for number in numbers
            )
        )
        ones, others = results[:KEYS], results[KEYS:][::-1]
        assert [a + b for a, b in zip(ones, others, strict=True)] == [1] * KEYS
    info = await one.stream_info("KV_SETTINGS")
    assert info.state.last_seq == info.state.messages == ROUNDS * KEYS


async def test_on_one_node(nats_server: NatsServer, js: JetStreamContext) -> None:
    client = await connect(nats_server)
    await race(js, client.jetstream())
    await client.close()


async def test_on_three_nodes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (servers, js):
        client = await connect(servers[2])
        await race(js, client.jetstream())
        await client.close()
