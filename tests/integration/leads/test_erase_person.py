"""Erasing a person on a real server: nothing is left on disk, everybody else is untouched."""

import asyncio
import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from uuid import UUID
from zipfile import ZipFile

import pytest
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from libs.chassis.erasing import erase_message
from libs.events import (
    LeadErased,
    LeadReachedOut,
    NotificationSent,
    Part,
    RecordedEvent,
)
from libs.events.dead_letters import DeadLetters
from services.cli.verify import examine
from services.leads.people import erase as erasing
from services.leads.people.erase import Eraser
from services.leads.people.export import export
from services.leads.people.find import in_log
from services.leads.people.records import SETTLES_AFTER, Erasures, Reason
from tests.integration.leads.world import World, until

NAME, EMAIL = "Xanthippequux", "xanthippequux.zzyzx@example.org"
NOTE = "Rang the bell of the qwertzhouse twice."
RESUME = b"%PDF-1.7 " + Random(7).randbytes(3000)  # noqa: S311 - bytes that nothing else has
LARGE = b"%PDF-1.7 " + Random(8).randbytes(700_000)  # noqa: S311
KEPT = "somebody.else@example.org"


def needles() -> dict[str, bytes]:
    """What must not be found: as it is, and in the forms in which it may be stored."""
    found = {}
    for label, text in {"name": NAME, "email": EMAIL, "note": NOTE}.items():
        for kind, spelt in {"": text, " folded": text.lower()}.items():
            found[f"{label}{kind}"] = spelt.encode()
            found[f"{label}{kind} utf-16"] = spelt.encode("utf-16-le")
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + text.encode())
            found[f"{label} base64 {shift}"] = encoded[4:-4]
    for name, content in {"resume": RESUME, "large resume": LARGE}.items():
        for start in range(9, len(content) - 64, max(64, len(content) // 40)):
            found[f"{name} at {start}"] = content[start : start + 64]
    return found


def found_below(folder: Path) -> dict[str, str]:
    """Which needles stand in which files."""
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert contents
    return {
        label: str(path.relative_to(folder))
        for label, needle in needles().items()
        for path, content in contents.items()
        if needle in content
    }


async def unaudited(_lead: UUID, _reason: Reason) -> None:
    """Tests of the trail are elsewhere."""


def eraser(js: JetStreamContext, *, later: timedelta = timedelta(0)) -> Eraser:
    return Eraser(js, unaudited, actor="operator", now=lambda: datetime.now(UTC) + later)


async def person(world: World) -> list[UUID]:
    """Two leads of one person, with everything that a lead can leave somewhere."""
    leads = [
        await world.submit(NAME, "Zzyzx", EMAIL, content=RESUME),
        await world.submit(NAME, "Zzyzx", EMAIL.upper(), content=LARGE),
    ]
    for lead_id in leads:
        submission = (await world.store.load(lead_id)).events[0]
        await world.append(lead_id, LeadReachedOut(channel=None, note=NOTE), actor="account:a")
        await _mail(world, submission)
        await DeadLetters(world.js).put("notifier", submission, "refused", key="mail")
        claim = {"lead_id": str(lead_id), "event_id": str(submission.id), "fingerprint": "f"}
        await Bucket(world.js, "IDEMPOTENCY").create(f"k{lead_id}", json.dumps(claim).encode())
    return leads


async def _mail(world: World, submission: RecordedEvent) -> None:
    sent = NotificationSent(
        template="prospect_acknowledgement",
        recipient_role="prospect",
        recipient=EMAIL,
        message_id=f"<{submission.id}@firm.example>",
    )
    await world.append(submission.lead_id, sent, actor="service:notifier")
    ledger = Bucket(world.js, "MAIL_LEDGER")
    outcome = {"state": "sent", "message_id": sent.message_id}
    await ledger.put(f"{submission.id}.ack.0123", json.dumps(outcome).encode())
    # What a redrive leaves: only the Message-ID tells whose it is.
    await ledger.put(f"{UUID(int=1)}.ack.{submission.id}", json.dumps(outcome).encode())


async def count(world: World, stream: str) -> int:
    return int((await world.js.stream_info(stream)).state.messages)


async def test_nothing_is_left_in_any_file(world: World) -> None:
    client = await world.replica("first")
    attorney = await world.attorney(client)
    other = await world.submit("Grace", "Hopper", KEPT, content=b"%PDF-1.7 kept")
    leads = await person(world)
    last = await world.submit("Alan", "Turing", "alan@example.org")
    await world.level(attorney)
    stores = [Path(world.server.store), world.folder]
    assert {"name", "email", "note", "resume at 9"} <= {
        label for store in stores for label in found_below(store)
    }

    assert await in_log(world.js, EMAIL.title()) == leads
    assert await eraser(world.js).erase(leads, "request") == leads

    assert found_below(Path(world.server.store)) == {}
    await world.level(attorney)

    async def scrubbed() -> bool:
        return not found_below(world.folder)

    await until(scrubbed)
    assert await count(world, "KV_MAIL_LEDGER") == 0
    assert await count(world, "KV_IDEMPOTENCY") == 0
    assert await count(world, "DEAD_LETTERS") == 0
    page = await (await attorney.get("/leads")).json()
    assert [item["id"] for item in page["items"]] == [str(last), str(other)]
    assert (await attorney.get(f"/leads?q={NAME}")).status == 200
    kept = await attorney.get(f"/leads/{other}/resume")
    assert await kept.read() == b"%PDF-1.7 kept"
    for lead_id in leads:
        gone = await attorney.get(f"/leads/{lead_id}/history")
        assert (gone.status, (await gone.json())["type"][-11:]) == (410, "lead-erased")
        assert (await attorney.get(f"/leads/{lead_id}")).status == 404
        assert (await attorney.post(f"/leads/{lead_id}/reached-out")).status == 410
    assert await in_log(world.js, EMAIL) == []


async def test_the_log_verifies_and_its_digest_is_the_one_from_before(world: World) -> None:
    leads = await person(world)
    kept = await world.submit("Grace", "Hopper", KEPT)
    until_then = await examine(world.js)
    assert until_then.findings == []

    await eraser(world.js).erase(leads, "request")
    after = await examine(world.js)
    assert after.findings == []
    assert (after.erased, after.unfinished, after.resumes) == (6, 0, 1)

    submission = (await world.store.load(kept)).events[0]
    await erase_message(world.js, "LEADS", submission.position)
    tampered = await examine(world.js)
    assert [finding.position for finding in tampered.findings] == [submission.position]


async def test_a_read_model_made_anew_after_an_erasure_has_the_others(world: World) -> None:
    other = await world.submit("Grace", "Hopper", KEPT)
    leads = await person(world)
    await eraser(world.js).erase(leads, "request")

    client = await world.replica("fresh")
    attorney = await world.attorney(client)
    await world.level(attorney)
    page = await (await attorney.get("/leads")).json()
    assert [item["id"] for item in page["items"]] == [str(other)]
    assert found_below(world.folder) == {}


@pytest.mark.parametrize("steps", range(0, 24, 3))
async def test_an_erasure_that_was_killed_is_finished_by_whoever_comes_next(
    world: World, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    leads = await person(world)
    done = 0

    async def erase_some(js: JetStreamContext, stream: str, sequence: int) -> None:
        nonlocal done
        if done == steps:
            raise asyncio.CancelledError
        done += 1
        await erase_message(js, stream, sequence)

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "erase_message", erase_some)
        killed = asyncio.create_task(eraser(world.js).erase(leads, "request"))
        await asyncio.wait({killed})
    assert (await examine(world.js)).findings == []

    await eraser(world.js).resume()
    assert found_below(Path(world.server.store)) == {}
    assert all(record.erased_at for record in await Erasures(world.js).all())


async def test_what_a_mail_under_way_wrote_afterwards_is_taken_by_the_last_look(
    world: World,
) -> None:
    leads = await person(world)
    submission = (await world.store.load(leads[0])).events[0]
    await eraser(world.js).erase(leads, "request")
    await _mail(world, submission)
    assert await eraser(world.js).resume() == []
    assert found_below(Path(world.server.store))

    assert set(await eraser(world.js, later=SETTLES_AFTER).resume()) == set(leads)
    assert found_below(Path(world.server.store)) == {}
    assert await count(world, "KV_MAIL_LEDGER") == 0
    report = await examine(world.js)
    assert (report.findings, report.erased) == ([], 7)
    assert await eraser(world.js, later=2 * SETTLES_AFTER).resume() == []
    for record in await Erasures(world.js).all():
        assert (record.objects, record.event_ids) == (frozenset(), frozenset())


async def test_an_attorney_who_is_faster_is_erased_with_it(world: World) -> None:
    leads = await person(world)
    busy = asyncio.create_task(_keep_noting(world, leads[0]))
    await eraser(world.js).erase(leads, "request")
    busy.cancel()
    await asyncio.wait({busy})
    history = await world.store.load(leads[0])
    kinds = {event.event.type for event in history.events}
    assert kinds <= {LeadErased.type, LeadReachedOut.type}
    await eraser(world.js, later=SETTLES_AFTER).resume()
    history = await world.store.load(leads[0])
    assert {event.event.type for event in history.events} == {LeadErased.type}


async def _keep_noting(world: World, lead_id: UUID) -> None:
    while (await world.store.load(lead_id)).last(Part.SUBMISSION):
        await world.append(lead_id, LeadReachedOut(note=NOTE), actor="account:a")


async def test_an_export_holds_everything(world: World) -> None:
    leads = await person(world)
    await world.submit("Grace", "Hopper", KEPT)
    pieces = [piece async for piece in export(world.js, leads, now=datetime.now(UTC))]
    assert len(pieces) > 5
    with ZipFile(BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files[f"leads/{leads[0]}/file-cv.pdf"] == RESUME
    digest = hashlib.sha256(files[f"leads/{leads[1]}/file-cv.pdf"]).hexdigest()
    assert digest == hashlib.sha256(LARGE).hexdigest()
    events = json.loads(files[f"leads/{leads[0]}/events.json"])
    assert [event["type"] for event in events] == [
        "LeadSubmitted",
        "LeadReachedOut",
        "NotificationSent",
    ]
    assert events[0]["data"]["email"] == EMAIL
    assert events[1]["data"]["note"] == NOTE
    others = json.loads(files["other.json"])
    assert {name: len(found) for name, found in others.items()} == {
        "KV_MAIL_LEDGER": 4,
        "KV_IDEMPOTENCY": 2,
        "DEAD_LETTERS": 2,
    }
    assert KEPT.encode() not in b"".join(files.values())
