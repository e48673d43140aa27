"""Damage made on purpose, and what ``leadlog verify`` says of it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from libs.events import (
    Channel,
    Event,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    NotificationSent,
    Part,
    ResumeRef,
    new_id,
)
from libs.events.chain import hash_of
from libs.events.jetstream import JetStreamEventStore
from libs.resumes import JetStreamResumeStore
from services.cli.verify import Report, examine
from tests.support.nats import provisioned, start_nats_server


@dataclass
class Lead:
    id: UUID
    resume: str
    positions: dict[str, int]


async def append(store: JetStreamEventStore, lead: UUID, event: Event) -> int:
    history = await store.load(lead)
    new = NewEvent(
        event=event, id=new_id(), time=datetime.now(UTC), source="/test", actor="prospect"
    )
    expected = history.last(event.part)
    return (await store.append(lead, event.part, [new], expected=expected)).position


async def make_lead(js: JetStreamContext, content: bytes = b"resume") -> Lead:
    """A lead with its resume, two mails and a contact, as the services write it."""
    store, resumes, lead = JetStreamEventStore(js), JetStreamResumeStore(js), new_id()
    digest = hashlib.sha256(content).hexdigest()
    name = await resumes.put(lead, [content], size=len(content), sha256=digest)
    ref = ResumeRef(
        object=name, file_name="a.txt", media_type="text/plain", size=len(content), sha256=digest
    )
    mail = NotificationSent(
        template="t", recipient_role="prospect", recipient="a@b.example", message_id="m"
    )
    events: dict[str, Event] = {
        "submitted": LeadSubmitted(first_name="A", last_name="B", email="a@b.example", resume=ref),
        "mail 1": mail,
        "reached out": LeadReachedOut(channel=Channel.PHONE),
        "mail 2": mail,
    }
    positions = {name: await append(store, lead, event) for name, event in events.items()}
    return Lead(lead, name, positions)


async def found(js: JetStreamContext) -> set[int]:
    return {finding.position for finding in (await examine(js)).findings}


async def test_what_the_services_write_is_as_written(js: JetStreamContext) -> None:
    leads = [await make_lead(js) for _ in range(3)]
    report = await examine(js)
    assert report.findings == []
    assert (report.events, report.leads, report.resumes) == (12, 3, 3)
    assert report.last == leads[-1].positions["mail 2"]


async def test_a_fresh_process_goes_on_with_the_chain(js: JetStreamContext) -> None:
    lead = await make_lead(js)
    mail = NotificationSent(
        template="t", recipient_role="attorney", recipient="a@b.example", message_id="n"
    )
    new = NewEvent(event=mail, id=new_id(), time=datetime.now(UTC), source="/test", actor="x")
    expected = lead.positions["mail 2"]
    # This store has seen nothing: it must read the event before, not make the hash up.
    await JetStreamEventStore(js).append(lead.id, Part.MAIL, [new], expected=expected)
    assert await found(js) == set()


async def test_each_missing_event_is_named(js: JetStreamContext) -> None:
    for which in ("submitted", "mail 1", "reached out", "mail 2"):
        lead = await make_lead(js)
        await js.delete_msg("LEADS", lead.positions[which])
        assert lead.positions[which] in await found(js)


async def test_a_changed_event_is_noticed(js: JetStreamContext, tmp_path: Path) -> None:
    lead = await make_lead(js)
    other = await start_nats_server(tmp_path / "other")
    try:
        async with provisioned(other) as there:
            for position in range(1, 5):
                message = await js.get_msg("LEADS", position)
                data = message.data or b""
                if position == lead.positions["mail 1"]:
                    data = data.replace(b"a@b.example", b"x@y.example")
                kept = {k: v for k, v in (message.headers or {}).items() if k.startswith("ce-")}
                await there.publish(message.subject or "", data, headers=kept)
            findings = (await examine(there, resumes=False)).findings
            assert [finding.position for finding in findings] == [lead.positions["mail 2"]]
            assert str(lead.positions["mail 1"]) in findings[0].text
            assert findings[0].lead_id == lead.id
    finally:
        await other.kill()


async def test_a_missing_and_a_changed_resume_are_named(js: JetStreamContext) -> None:
    whole, missing, changed = [await make_lead(js, name) for name in (b"whole", b"gone", b"old")]
    await JetStreamResumeStore(js).delete(missing.resume)
    piece = f"$O.RESUMES.C.{changed.resume}"
    stored = await js.get_last_msg("OBJ_RESUMES", piece)
    await js.delete_msg("OBJ_RESUMES", stored.seq or 0)
    await js.publish(piece, b"new")
    report = await examine(js)
    assert {f.position: f.lead_id for f in report.findings} == {
        missing.positions["submitted"]: missing.id,
        changed.positions["submitted"]: changed.id,
    }
    assert whole.positions["submitted"] not in await found(js)


async def test_a_log_that_is_gone_while_its_resumes_are_there_is_named(
    js: JetStreamContext,
) -> None:
    assert await found(js) == set()
    await make_lead(js)
    info = await js.stream_info("LEADS")
    await js.delete_stream("LEADS")
    await js.add_stream(info.config)
    [finding] = (await examine(js)).findings
    assert "no log at all" in finding.text


async def test_what_is_no_event_is_named(js: JetStreamContext) -> None:
    await make_lead(js)
    ack = await js.publish(f"leads.{new_id()}.mail", b"no event")
    assert await found(js) == {ack.seq}


async def test_a_rewritten_log_has_another_digest(js: JetStreamContext) -> None:
    await make_lead(js)
    before: Report = await examine(js)
    again: Report = await examine(js)
    assert before.digest == again.digest
    last = await js.get_last_msg("LEADS", "leads.>")
    assert hash_of(last.subject or "", last.headers or {}, last.data or b"") != before.digest
    info = await js.stream_info("LEADS")
    await js.delete_stream("LEADS")
    await js.add_stream(
        StreamConfig(name="LEADS", subjects=info.config.subjects, allow_direct=True)
    )
    await make_lead(js)
    assert (await examine(js)).digest != before.digest
