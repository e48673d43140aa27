"""The projection against the real log: rebuilt, spoilt, poisoned, cut off."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext

from libs.events import LeadReachedOut, NewEvent, Part, new_id
from libs.events.envelope import encode
from libs.events.subjects import subject_of
from services.leads.projection import projector
from services.leads.rebuild import READING, SWITCHING, rebuild
from tests.integration.leads.world import World, is_ready, until
from tests.support.nats import NatsServer


def dump(path: Path) -> list[Any]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select * from leads order by id").fetchall()
        return [*rows, connection.execute("select position from projection_meta").fetchone()]


async def some_leads(world: World, count: int = 30) -> None:
    for number in range(count):
        lead = await world.submit(f"Ada{number}", "Löw", f"ada{number}@example.org")
        if number % 3 == 0:
            await world.append(lead, LeadReachedOut(note=str(number)), actor="account:a1")


async def test_a_rebuilt_file_equals_the_live_one(world: World) -> None:
    await some_leads(world, 10)
    async with world.running("a") as client:
        lena = await world.attorney(client)
        await some_leads(world)
        await world.level(lena)
    settings = world.settings("a")
    live = dump(settings.database)
    heard: list[tuple[str, int, int]] = []
    position = await rebuild(world.as_operator(settings), lambda *progress: heard.append(progress))

    assert dump(settings.database) == live
    assert len(live) == 41
    assert (READING, position, position) in heard
    assert heard[-1] == (SWITCHING, 1, 1)
    async with world.running("a") as client:
        assert (await lena.at(client).get("/leads")).status == 200
        assert dump(settings.database) == live


async def test_a_changed_schema_rebuilds_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_leads(world, 4)
    async with world.running("a"):
        before = dump(world.settings("a").database)
    with sqlite3.connect(world.settings("a").database) as connection:
        connection.execute("update leads set first_name = 'of the old version'")
    monkeypatch.setattr(projector, "schema_fingerprint", lambda: "the next version")
    async with world.running("a"):
        assert dump(world.settings("a").database) == before


async def test_messages_nobody_can_read_stop_nothing(world: World, js: JetStreamContext) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    known = NewEvent(
        event=LeadReachedOut(), id=new_id(), time=datetime.now(UTC), source="/x", actor="account:a"
    )
    headers, payload = encode(known, new_id())
    bad: list[tuple[bytes, dict[str, str] | None]] = [
        (b"\xff\x00garbage", None),
        (b"{}", {"ce-type": "LeadSubmitted"}),
        (payload, {**headers, "ce-type": "LeadEatenByDog", "Nats-Msg-Id": "1"}),
        (b"not json", {**headers, "Nats-Msg-Id": "2"}),
        (b"[" * 100_000, {**headers, "Nats-Msg-Id": "3"}),
        (payload, {**headers, "ce-time": "yesterday", "Nats-Msg-Id": "4"}),
        (payload, {**headers, "ce-id": "not-an-id", "Nats-Msg-Id": "5"}),
    ]
    for content, names in bad:
        await js.publish(subject_of(new_id(), Part.SUBMISSION), content, headers=names)
        await js.publish(subject_of(new_id(), Part.HANDLING), content, headers=_renamed(names))
    lead = await world.submit()
    await world.level(lena)

    items = (await (await lena.get("/leads")).json())["items"]
    assert [item["id"] for item in items] == [str(lead)]
    assert await is_ready(client)


def _renamed(names: dict[str, str] | None) -> dict[str, str] | None:
    return names and {**names, "Nats-Msg-Id": names.get("Nats-Msg-Id", "0") + "-again"}


async def test_a_poisoned_lead_can_still_be_worked(world: World, js: JetStreamContext) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead = await world.submit()
    await js.publish(subject_of(lead, Part.HANDLING), b"garbage")
    answer = await lena.post(f"/leads/{lead}/reached-out")

    assert answer.status == 200
    assert (await answer.json())["already_reached_out"] is False
    position = {"Leadlog-Position": answer.headers["Leadlog-Position"]}
    shown = await (await lena.get(f"/leads/{lead}", position)).json()
    assert shown["status"] == "REACHED_OUT"


async def test_while_the_broker_is_away_nothing_is_shown_or_done_without_a_note_of_it(
    world: World, nats_server: NatsServer
) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead = await world.submit()
    await world.level(lena)
    await nats_server.kill()
    answers = await asyncio.gather(
        lena.post(f"/leads/{lead}/reached-out"),
        lena.get(f"/leads/{lead}/history"),
        lena.get(f"/leads/{lead}/resume"),
        lena.get("/leads"),  # it is here, but the audit trail cannot be written (ADR 17)
    )
    for answer in answers:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
    await until(lambda: _not_ready(client))
    await nats_server.start()
    await until(lambda: is_ready(client))
    answer = await lena.post(f"/leads/{lead}/reached-out")

    assert answer.status == 200
    position = {"Leadlog-Position": answer.headers["Leadlog-Position"]}
    shown = await (await lena.get(f"/leads/{lead}", position)).json()
    assert shown["status"] == "REACHED_OUT"
    assert await world.handled(lead) == 1


async def _not_ready(client: Any) -> bool:
    return not await is_ready(client)


async def test_a_resume_that_is_missing_or_damaged_is_not_passed_off_as_whole(
    world: World, js: JetStreamContext
) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    gone, damaged = await world.submit(), await world.submit(content=b"a" * 400_000)
    for recorded in (await world.store.load(gone)).events:
        await world.resumes.delete(recorded.event.model_dump()["resume"]["object"])
    name = (await world.store.load(damaged)).events[0].event.model_dump()["resume"]["object"]
    last = await js.get_last_msg("OBJ_RESUMES", f"$O.RESUMES.C.{name}")
    await js.delete_msg("OBJ_RESUMES", last.seq or 0)
    await js.publish(f"$O.RESUMES.C.{name}", b"b" * len(last.data or b""))
    await world.level(lena)
    missing = await lena.get(f"/leads/{gone}/resume")
    answer = await lena.get(f"/leads/{damaged}/resume")

    assert (missing.status, missing.content_type) == (410, "application/problem+json")
    assert answer.status == 200
    with pytest.raises(Exception, match=r"(?i)payload|disconnected|closed|reset"):
        await answer.read()
