"""Filling a stream with events as the services write them, as fast as atomic batches go."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import UUID, uuid4

from nats.js import JetStreamContext

from libs.events import NewEvent, Part
from libs.events.chain import GENESIS, PREVIOUS, hash_of
from libs.events.envelope import encode
from libs.events.subjects import subject_of

_BATCH = 1000
"""The most that nats-server takes in one atomic batch."""
_AT_ONCE = 4

Written = tuple[UUID, NewEvent]


async def fill(js: JetStreamContext, events: Iterable[Written]) -> int:
    """Append all events, each with the hash of the lead's first one; how many there were."""
    count, roots, running = 0, dict[UUID, str](), set[asyncio.Task[None]]()
    source = iter(events)
    while some := list(islice(source, _BATCH)):
        count += len(some)
        messages = list(_messages(some, roots))
        running.add(asyncio.create_task(_publish(js, messages)))
        if len(running) >= _AT_ONCE:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    await asyncio.gather(*running)
    return count


def _messages(
    some: list[Written], roots: dict[UUID, str]
) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    for lead_id, new in some:
        subject = subject_of(lead_id, new.event.part)
        headers, payload = encode(new, lead_id)
        headers[PREVIOUS] = roots.get(lead_id, GENESIS)
        roots.setdefault(lead_id, hash_of(subject, headers, payload))
        if new.event.part is not Part.MAIL:  # there may be two mails
            headers["Nats-Expected-Last-Subject-Sequence"] = "0"
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = subject
        yield subject, payload, headers


async def _publish(js: JetStreamContext, messages: list[tuple[str, bytes, dict[str, str]]]) -> None:
    client, batch = js._nc, uuid4().hex
    for number, (subject, payload, headers) in enumerate(messages, start=1):
        headers["Nats-Batch-Id"] = batch
        headers["Nats-Batch-Sequence"] = str(number)
        if number < len(messages):
            await client.publish(subject, payload, headers=headers)
            continue
        headers["Nats-Batch-Commit"] = "1"
        answer = await client.request(subject, payload, timeout=30, headers=headers)
        error = json.loads(answer.data).get("error")
        assert error is None, error
