"""Submissions are added, and found again, by a user who may not read one of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext

from libs.chassis.nats_login import inbox_of
from libs.events import LeadSubmitted, NewEvent, ResumeRef, new_id
from libs.events.jetstream import JetStreamEventStore
from libs.events.jetstream_submissions import JetStreamSubmissions
from libs.events.submissions import Submitted
from services.cli.verify import examine
from tests.support.cluster import cluster
from tests.support.nats import NatsServer, provisioned, start_nats_server


def submission() -> NewEvent:
    resume = ResumeRef(
        object="x", file_name="cv.pdf", media_type="application/pdf", size=1, sha256="0" * 64
    )
    event = LeadSubmitted(first_name="Ada", last_name="B", email="a@example.org", resume=resume)
    return NewEvent(
        event=event, id=new_id(), time=datetime.now(UTC), source="/test", actor="prospect"
    )


@asynccontextmanager
async def intake(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(
        server.url, nkeys_seed_str=server.seeds["intake"], inbox_prefix=inbox_of("intake")
    )
    try:
        yield client.jetstream()
    finally:
        await client.close()


@pytest.fixture(params=[1, 3])
async def system(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[NatsServer, JetStreamContext]]:
    if request.param == 3:
        async with cluster(tmp_path) as (servers, js):
            yield servers[1], js
    else:
        server = await start_nats_server(tmp_path)
        try:
            async with provisioned(server) as js:
                yield server, js
        finally:
            await server.kill()


async def test_a_submission_is_added_once_and_found(
    system: tuple[NatsServer, JetStreamContext],
) -> None:
    server, all_rights = system
    lead_id, event = new_id(), submission()
    async with intake(server) as js:
        log = JetStreamSubmissions(js)
        assert await log.position_of(lead_id) is None
        first = await log.submit(lead_id, event)
        assert first == Submitted(1)
        assert await log.submit(lead_id, event) == Submitted(1, before=True)
        assert await log.submit(lead_id, submission()) == Submitted(1, before=True)
        assert await log.position_of(lead_id) == 1
        assert await log.position_of(new_id()) is None
    assert await JetStreamEventStore(all_rights).last_position() == 1, "questions store nothing"
    report = await examine(all_rights, resumes=False)
    assert (report.events, report.findings) == (1, [])


async def test_of_many_at_once_one_is_written(
    system: tuple[NatsServer, JetStreamContext],
) -> None:
    server, all_rights = system
    lead_id = new_id()
    async with intake(server) as one, intake(server) as other:
        logs = [JetStreamSubmissions(one), JetStreamSubmissions(other)]
        outcomes = await asyncio.gather(
            *(logs[n % 2].submit(lead_id, submission()) for n in range(40))
        )
    assert sorted(outcome.before for outcome in outcomes) == [False, *[True] * 39]
    assert {outcome.position for outcome in outcomes} == {1}
    assert await JetStreamEventStore(all_rights).last_position() == 1
