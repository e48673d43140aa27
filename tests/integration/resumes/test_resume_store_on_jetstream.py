import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from libs.events import (
    LeadSubmitted,
    NewEvent,
    NotificationSent,
    Part,
    ResumeRef,
    new_id,
)
from libs.events.jetstream import JetStreamEventStore
from libs.resumes import JetStreamResumeStore, ResumeDamaged, ResumeMissing
from libs.resumes.janitor import sweep
from tests.integration.resumes.test_resume_behaviour import read, sha256, some_bytes
from tests.support.nats import NatsServer

HOUR = timedelta(hours=1)


async def put(resumes: JetStreamResumeStore, data: bytes) -> str:
    return await resumes.put(new_id(), [data], size=len(data), sha256=sha256(data))


async def test_nats_own_client_reads_what_we_wrote(js: JetStreamContext) -> None:
    data = some_bytes(400_000)
    name = await put(JetStreamResumeStore(js), data)
    store = await js.object_store("RESUMES")
    stored = await store.get(name)
    assert stored.data == data
    assert stored.info.size == len(data)
    assert stored.info.digest is not None
    assert [info.name for info in await store.list()] == [name]


async def test_a_lost_piece_is_noticed(js: JetStreamContext) -> None:
    resumes = JetStreamResumeStore(js)
    name = await put(resumes, some_bytes(400_000))
    piece = await js.get_msg("OBJ_RESUMES", seq=1, subject=f"$O.RESUMES.C.{name}", next=True)
    await js.delete_msg("OBJ_RESUMES", piece.seq or 0)
    with pytest.raises(ResumeDamaged):
        await read(resumes, name)


async def test_other_bytes_than_announced_are_noticed(js: JetStreamContext) -> None:
    resumes = JetStreamResumeStore(js)
    name = await resumes.put(new_id(), [b"abc"], size=3, sha256=hashlib.sha256(b"x").hexdigest())
    with pytest.raises(ResumeDamaged):
        await read(resumes, name)


async def test_deleted_bytes_are_gone_from_the_disk(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    marker = b"a-sentence-that-stands-nowhere-else"
    resumes = JetStreamResumeStore(js)
    name = await put(resumes, marker * 100)
    assert on_disk(nats_server.store_dir, marker)
    await resumes.delete(name)
    assert not on_disk(nats_server.store_dir, marker)


def on_disk(folder: Path, marker: bytes) -> bool:
    return any(marker in path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_the_janitor_erases_orphans_and_keeps_what_a_lead_refers_to(
    js: JetStreamContext,
) -> None:
    resumes, events, settings = (
        JetStreamResumeStore(js),
        JetStreamEventStore(js),
        Bucket(js, "SETTINGS"),
    )
    lead = new_id()
    kept = await resumes.put(lead, [b"abc"], size=3, sha256=sha256(b"abc"))
    orphan_of_a_lead = await resumes.put(lead, [b"abc"], size=3, sha256=sha256(b"abc"))
    orphan = await put(resumes, b"abc")
    half = f"{new_id()}-0123456789ab"
    await js.publish(f"$O.RESUMES.C.{half}", b"a piece without a meta message")
    await events.append(lead, Part.SUBMISSION, [submitted(kept)], expected=0)
    now = datetime.now(UTC)

    too_early = await sweep(resumes, events, settings, now=now, grace=HOUR)
    erased = await sweep(resumes, events, settings, now=now + 2 * HOUR, grace=HOUR)
    again = await sweep(resumes, events, settings, now=now + 2 * HOUR, grace=HOUR)

    assert (too_early, erased, again) == (0, 3, 0)
    assert await read(resumes, kept) == b"abc"
    for gone in (orphan_of_a_lead, orphan):
        with pytest.raises(ResumeMissing):
            await read(resumes, gone)
    state = (await js.stream_info("OBJ_RESUMES", subjects_filter=">")).state
    assert f"$O.RESUMES.C.{half}" not in (state.subjects or {})


async def test_the_janitor_erases_nothing_when_the_log_was_lost(js: JetStreamContext) -> None:
    resumes, events = JetStreamResumeStore(js), JetStreamEventStore(js)
    lead, now, settings = new_id(), datetime.now(UTC), Bucket(js, "SETTINGS")
    kept = await resumes.put(lead, [b"abc"], size=3, sha256=sha256(b"abc"))
    await events.append(lead, Part.SUBMISSION, [submitted(kept)], expected=0)
    await events.append(new_id(), Part.SUBMISSION, [submitted("other")], expected=0)
    assert await sweep(resumes, events, settings, now=now, grace=HOUR) == 0
    info = await js.stream_info("LEADS")
    for _ in range(2):  # an empty log, then one that has begun anew
        await js.delete_stream("LEADS")
        await js.add_stream(info.config)
        assert await sweep(resumes, events, settings, now=now + 2 * HOUR, grace=HOUR) == 0
        assert await read(resumes, kept) == b"abc"
    await events.append(new_id(), Part.SUBMISSION, [submitted("other")], expected=0)
    assert await sweep(resumes, events, settings, now=now + 2 * HOUR, grace=HOUR) == 0
    assert await read(resumes, kept) == b"abc"


async def test_the_janitor_keeps_what_a_submission_it_cannot_read_may_refer_to(
    js: JetStreamContext,
) -> None:
    resumes, events = JetStreamResumeStore(js), JetStreamEventStore(js)
    lead = new_id()
    name = await resumes.put(lead, [b"abc"], size=3, sha256=sha256(b"abc"))
    newer = {
        "ce-type": "LeadSubmitted",
        "ce-dataschema": "urn:leadlog:event:LeadSubmitted:99",
        "ce-id": str(new_id()),
        "ce-time": "2026-01-01T00:00:00+00:00",
    }
    await js.publish(f"leads.{lead}.submission", b"{}", headers=newer)
    mail = NotificationSent(
        template="t", recipient_role="prospect", recipient="a@b.example", message_id="m"
    )
    sent = NewEvent(event=mail, id=new_id(), time=datetime.now(UTC), source="/t", actor="x")
    await events.append(lead, Part.MAIL, [sent], expected=0)

    later = datetime.now(UTC) + 2 * HOUR
    assert await sweep(resumes, events, Bucket(js, "SETTINGS"), now=later, grace=HOUR) == 0
    assert await read(resumes, name) == b"abc"


def submitted(object_name: str) -> NewEvent:
    resume = ResumeRef(
        object=object_name,
        file_name="cv.txt",
        media_type="text/plain",
        size=3,
        sha256=sha256(b"abc"),
    )
    event = LeadSubmitted(first_name="A", last_name="B", email="a@b.example", resume=resume)
    return NewEvent(
        event=event, id=new_id(), time=datetime.now(UTC), source="/leadlog/test", actor="prospect"
    )
