"""What a node tells that is cut off from the others and does not know it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from libs.chassis.errors import StoreUnavailable
from libs.events import LeadSubmitted, NewEvent, Part, ResumeRef, new_id
from libs.events.jetstream import JetStreamEventStore
from tests.chaos.evidence import connect
from tests.chaos.system import PASSWORD, USER, System, running

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("chaos")]


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[System]:
    async with running(System(tmp_path, kinds=())) as system:
        yield system


async def follower_of(js: JetStreamContext) -> int:
    """The number of a node that holds the log and does not lead it."""
    info = await js.stream_info("LEADS")
    assert info.cluster is not None
    return next(n for n in (1, 2, 3) if f"node{n}" != info.cluster.leader)


async def test_a_lead_that_a_cut_off_node_does_not_know_is_not_called_unknown(
    nodes: System,
) -> None:
    inside = await connect(nodes.nats_urls, USER, PASSWORD)
    number = await follower_of(inside.jetstream())
    outside = await connect([nodes.nats_urls[number - 1]], USER, PASSWORD)
    await inside.close()
    others = [url for n, url in enumerate(nodes.nats_urls, 1) if n != number]
    inside = await connect(others, USER, PASSWORD)
    try:
        store = JetStreamEventStore(outside.jetstream(), deadline_seconds=2)
        await nodes.wire("cut", f"node{number}")
        lead_id = new_id()
        await JetStreamEventStore(inside.jetstream()).append(
            lead_id, Part.SUBMISSION, [submitted()], expected=0
        )
        for _ in range(5):  # any node may be asked, and only this one answers
            with pytest.raises(StoreUnavailable):
                await store.load(lead_id)
        await nodes.wire("heal", f"node{number}")
        healed = JetStreamEventStore(outside.jetstream())
        assert (await healed.load(lead_id)).found
    finally:
        await outside.close()
        await inside.close()


def submitted() -> NewEvent:
    resume = ResumeRef(
        object="o", file_name="cv.pdf", media_type="application/pdf", size=1, sha256="0" * 64
    )
    event = LeadSubmitted(
        first_name="Ada",
        last_name="Byron",
        email="ada@example.org",
        phone=None,
        message=None,
        resume=resume,
    )
    return NewEvent(
        event=event, id=new_id(), time=datetime.now(UTC), source="/test", actor="prospect"
    )
