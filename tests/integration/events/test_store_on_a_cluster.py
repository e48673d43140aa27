"""What differs on three nodes: duplicates are found first, and leaders change."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from nats.js import JetStreamContext

from libs.events import Conflict, Part, new_id
from libs.events.jetstream import JetStreamEventStore
from tests.integration.events.support import ids, new, reached_out, read_until_caught_up, until
from tests.support.cluster import cluster
from tests.support.nats import NatsServer

Nodes = tuple[list[NatsServer], JetStreamContext]


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with cluster(tmp_path) as running:
        yield running


async def test_expectations_hold_on_three_nodes(nodes: Nodes) -> None:
    _, js = nodes
    store = JetStreamEventStore(js)

    async def write(lead: UUID) -> bool:
        try:
            await store.append(lead, Part.HANDLING, [reached_out()], expected=0)
        except Conflict:
            return False
        return True

    for _ in range(10):
        lead = new_id()
        assert sum(await asyncio.gather(*(write(lead) for _ in range(20)))) == 1

    lead, events = new_id(), [reached_out("a"), reached_out("b")]
    for written in (events[:1], events[1:]):
        expected = (await store.load(lead)).last(Part.HANDLING)
        first = await store.append(lead, Part.HANDLING, written, expected=expected)
        again = await store.append(lead, Part.HANDLING, written, expected=expected)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.position == first.position
        await until(partial(_has, store, lead, first.position))  # a replica may be behind


async def _has(store: JetStreamEventStore, lead: UUID, position: int) -> bool:
    history = await store.load(lead)
    return bool(history.last(Part.HANDLING) >= position)


async def test_a_killed_leader_loses_nothing_that_was_acknowledged(nodes: Nodes) -> None:
    servers, js = nodes
    store = JetStreamEventStore(js, deadline_seconds=30)
    written = []
    stop = asyncio.Event()

    async def writer() -> None:
        while not stop.is_set():
            event = new()
            await store.append(new_id(), Part.SUBMISSION, [event], expected=0)
            written.append(event.id)

    writers = [asyncio.create_task(writer()) for _ in range(5)]
    await until(lambda: len(written) > 50)
    info = await js.stream_info("LEADS")
    leader = next(s for s in servers if info.cluster is not None and s.name == info.cluster.leader)
    await leader.kill()
    after = len(written)
    await until(lambda: len(written) > after + 50, 60)
    stop.set()
    await asyncio.gather(*writers)

    events, _ = await read_until_caught_up(store)
    assert sorted(ids(events)) == sorted(written)
