"""A form on its way into a real JetStream."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from nats.js import JetStreamContext
from structlog.testing import capture_logs

from libs.events import LeadSubmitted
from libs.events.jetstream import JetStreamEventStore
from libs.resumes import JetStreamResumeStore
from services.intake.keys import RECORDER, TASKS
from tests.integration.intake.conftest import Replica, messages, submitted, until
from tests.support.nats import NatsServer
from tests.unit.intake.documents import DOC, EVERY_KIND, PDF
from tests.unit.intake.forms import CONTENT_TYPE, whole

Start = Callable[..., Awaitable[Replica]]
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def large_pdf(size: int) -> bytes:
    return PDF + random.Random(size).randbytes(size)  # noqa: S311 - contents, not a secret


async def only(js: JetStreamContext) -> LeadSubmitted:
    [recorded] = await submitted(js)
    assert isinstance(recorded.event, LeadSubmitted)
    return recorded.event


async def test_a_script_gets_202_after_the_event_is_in_the_log(
    replica: Replica, js: JetStreamContext
) -> None:
    answer = await replica.submit(whole(first_name="Zoë", message="Hello\r\nthere"))
    assert answer.status == 202
    document = await answer.json()
    [recorded] = await submitted(js)
    assert str(recorded.lead_id) == document["lead_id"]
    assert recorded.time == datetime.fromisoformat(document["submitted_at"])
    assert recorded.position == int(answer.headers["Leadlog-Position"])
    lead = await only(js)
    assert (lead.first_name, lead.message) == ("Zoë", "Hello\nthere")


async def test_a_browser_gets_303(replica: Replica, js: JetStreamContext) -> None:
    answer = await replica.submit(Accept=HTML)
    assert (answer.status, answer.headers["Location"]) == (303, "thank-you")
    assert await only(js)


@pytest.mark.parametrize("extension", EVERY_KIND)
async def test_the_exact_bytes_of_a_resume_come_back(
    replica: Replica, js: JetStreamContext, extension: str
) -> None:
    assert (await replica.submit(whole(EVERY_KIND[extension], f"cv.{extension}"))).status == 202
    resume = (await only(js)).resume
    store = JetStreamResumeStore(js)
    read = b"".join([piece async for piece in store.read(resume.object)])
    assert read == EVERY_KIND[extension]


async def test_a_large_resume_is_read_by_the_standard_client_too(
    replica: Replica, js: JetStreamContext
) -> None:
    content = large_pdf(3_000_000)
    assert (await replica.submit(whole(content))).status == 202
    resume = (await only(js)).resume
    objects = await js.object_store("RESUMES")
    result = await asyncio.wait_for(objects.get(resume.object), 20)
    assert result.data == content
    assert resume.size == len(content)


async def test_one_key_on_two_replicas_at_once_makes_one_lead(
    start: Start, js: JetStreamContext
) -> None:
    replicas = [await start(), await start()]
    sent = whole(large_pdf(300_000))
    answers = await asyncio.gather(
        *(replica.submit(sent, Idempotency_Key="one") for replica in replicas * 5)
    )
    assert {answer.status for answer in answers} == {202}
    assert len({(await answer.text()) for answer in answers}) == 1
    lead = await only(js)
    objects = await (await js.object_store("RESUMES")).list()
    assert lead.resume.object in {each.name for each in objects}
    other = await replicas[1].submit(whole(DOC, "cv.doc"), Idempotency_Key="one")
    assert other.status == 422


async def test_the_broker_killed_is_503_and_recovery_needs_no_hand(
    replica: Replica, nats_server: NatsServer, js: JetStreamContext
) -> None:
    assert (await replica.submit(Idempotency_Key="before")).status == 202
    await nats_server.kill()
    answer = await replica.submit(Idempotency_Key="during")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.content_type == "application/problem+json"
    await nats_server.start()
    await until(replica.is_ready)
    assert (await replica.submit(Idempotency_Key="during")).status == 202
    await replica.submit(Idempotency_Key="before")
    assert len(await submitted(js)) == 2


async def test_a_submission_under_way_while_the_broker_restarts_is_taken(
    replica: Replica, nats_server: NatsServer, js: JetStreamContext
) -> None:
    await nats_server.kill()
    waiting = asyncio.create_task(replica.submit())
    await nats_server.start()
    answer = await waiting
    assert answer.status == 202
    assert await only(js)


async def test_a_client_that_hangs_up_leaves_no_object_and_no_event(
    replica: Replica, js: JetStreamContext
) -> None:
    sent = whole(large_pdf(2_000_000))
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", replica.port)
        writer.write(
            f"POST /leads HTTP/1.1\r\nHost: test\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(sent)}\r\n\r\n".encode()
            + sent[:1_500_000]
        )
        await writer.drain()
        writer.transport.abort()

        async def noticed() -> bool:
            return any("hung up" in entry["event"] for entry in logs)

        await until(noticed)
    assert await submitted(js) == []
    assert await messages(js, "OBJ_RESUMES") == 0
    assert await messages(js, "KV_IDEMPOTENCY") == 0
    assert not [entry for entry in logs if entry["log_level"] in {"warning", "error"}]


@pytest.mark.parametrize(
    "body", [whole(email="x"), whole(b"\x89PNG\r\n\x1a\n", "cv.png"), b"noise"]
)
async def test_a_refused_form_leaves_nothing(
    replica: Replica, js: JetStreamContext, body: bytes
) -> None:
    assert (await replica.submit(body, Idempotency_Key="k")).status in {400, 415, 422}
    for stream in ("LEADS", "OBJ_RESUMES", "KV_IDEMPOTENCY"):
        assert await messages(js, stream) == 0


async def test_what_is_missing_is_named(start: Start, js: JetStreamContext) -> None:
    replica = await start()
    assert (await replica.checks())["storage"]["ok"]
    await js.delete_stream("KV_IDEMPOTENCY")
    checks = await replica.checks()
    assert checks["status"] == 503
    assert "the bucket IDEMPOTENCY" in checks["storage"]["detail"]
    assert "LEADS" not in checks["storage"]["detail"]


async def test_a_stop_waits_for_a_submission_whose_client_has_gone(
    replica: Replica, js: JetStreamContext
) -> None:
    assert replica.app[RECORDER] is not None
    sent = whole(large_pdf(500_000))
    _, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    writer.write(
        f"POST /leads HTTP/1.1\r\nHost: test\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n".encode()
        + sent
    )
    await writer.drain()

    async def begun() -> bool:
        return await messages(js, "OBJ_RESUMES") > 0

    await until(begun)
    writer.transport.abort()
    assert await replica.app[TASKS].drain(20) == 0
    assert (await JetStreamEventStore(js).last_position()) == 1


async def test_a_marked_person_is_in_no_log_and_no_subject(
    replica: Replica, nats_server: NatsServer, js: JetStreamContext
) -> None:
    sent = whole(PDF, "Zqfile.pdf", first_name="Zqname", email="zqmail@example.com")
    with capture_logs() as logs:
        await replica.submit(sent, Idempotency_Key="Zqkey")
        await nats_server.kill()
        await replica.submit(sent)
        await nats_server.start()
    assert len(logs) >= 3
    assert "zq" not in repr(logs).lower()
    for stream in ("LEADS", "OBJ_RESUMES", "KV_IDEMPOTENCY"):
        info = await js.stream_info(stream, subjects_filter=">")
        assert info.state.subjects
        # Whole words: a resume's subject is base64, in which any two letters may meet.
        subjects = repr(info.state.subjects).lower()
        assert not any(f"zq{word}" in subjects for word in ("name", "mail", "file", "key"))
