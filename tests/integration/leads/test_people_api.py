"""Exporting, erasing and the retention rule, as a running service does them."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zipfile import ZipFile

from libs.chassis.buckets import Bucket
from libs.chassis.jetstream import get_batch
from libs.events import LeadErased, LeadReachedOut
from services.leads.auth.permissions import Role
from services.leads.people.lease import take_lease
from services.leads.people.retention import KEY, Rule
from tests.integration.leads.world import World, until

EMAIL = "Ada.Lovelace@example.org"
BODY = {"email": EMAIL.upper()}
NOW = datetime.now(UTC)


async def trail(world: World) -> list[dict[str, object]]:
    messages = await get_batch(world.js._nc, "AUDIT", "audit.>")
    entries = [json.loads(message.data) for message in messages]
    return [entry for entry in entries if str(entry["action"]).startswith("person.")]


async def test_an_admin_exports_and_erases_a_person(world: World) -> None:
    client = await world.replica()
    admin = await world.attorney(client, role=Role.ADMIN)
    lead = await world.submit(email=EMAIL, content=b"%PDF-1.7 hers")
    other = await world.submit(email="grace@example.org")

    exported = await admin.post("/people/export", json=BODY)
    assert (exported.status, exported.content_type) == (200, "application/zip")
    with ZipFile(BytesIO(await exported.read())) as archive:
        assert archive.read(f"leads/{lead}/file-cv.pdf") == b"%PDF-1.7 hers"
        assert EMAIL.encode() in archive.read(f"leads/{lead}/events.json")
        assert not any(str(other) in name for name in archive.namelist())

    erased = await admin.post("/people/erase", json=BODY)
    assert (erased.status, await erased.json()) == (200, {"erased": [str(lead)]})
    position = {"Leadlog-Position": erased.headers["Leadlog-Position"]}
    page = await (await admin.get("/leads", position)).json()
    assert [item["id"] for item in page["items"]] == [str(other)]
    assert (await admin.post("/people/export", json=BODY)).status == 404
    again = await admin.post("/people/erase", json=BODY)
    assert await again.json() == {"erased": []}

    entries = await trail(world)
    assert [(e["action"], e["target"]) for e in entries] == [
        ("person.exported", f"lead:{lead}"),
        ("person.erased", f"lead:{lead}"),
    ]
    assert "lovelace" not in json.dumps(entries).lower()


async def test_nobody_else_may(world: World) -> None:
    client = await world.replica()
    for role in (Role.ATTORNEY, Role.VIEWER):
        somebody = await world.attorney(client, f"{role.value}@firm.example", role=role)
        for path in ("/people/export", "/people/erase"):
            assert (await somebody.post(path, json=BODY)).status == 403
    assert (await client.post("/people/erase", json=BODY)).status == 401


async def test_the_rule_erases_whose_time_has_come_in_several_runs(world: World) -> None:
    old = [await world.submit(email=EMAIL, at=NOW - timedelta(days=40)) for _ in range(3)]
    reached = await world.submit(email="grace@example.org", at=NOW - timedelta(days=20))
    at = NOW - timedelta(days=8)
    await world.append(reached, LeadReachedOut(), actor="account:a", at=at)
    young = await world.submit(email="alan@example.org", at=NOW - timedelta(days=29))
    rule = Rule(after_submission_days=30, after_reached_out_days=7)
    await Bucket(world.js, "SETTINGS").put(KEY, rule.model_dump_json().encode())

    client = await world.replica("first", erasures_interval_seconds=0.2)
    await world.replica("second", erasures_interval_seconds=0.2)
    attorney = await world.attorney(client)

    async def only_the_young_one() -> bool:
        page = await (await attorney.get("/leads")).json()
        return [item["id"] for item in page["items"]] == [str(young)]

    await until(only_the_young_one)
    for lead_id in [*old, reached]:
        (stone,) = (await world.store.load(lead_id)).events
        assert isinstance(stone.event, LeadErased)
        assert (stone.event.reason, stone.actor) == ("retention", "service:leads")
    assert {entry["actor"] for entry in await trail(world)} == {"service:leads"}


async def test_without_a_rule_nobody_is_erased(world: World) -> None:
    lead = await world.submit(at=NOW - timedelta(days=9999))
    client = await world.replica("first", erasures_interval_seconds=0.05)
    attorney = await world.attorney(client)
    settings = Bucket(world.js, "SETTINGS")

    async def has_run() -> bool:
        return await settings.get("people.lease") is not None

    await until(has_run)
    assert (await attorney.get(f"/leads/{lead}/history")).status == 200


async def test_a_lease_is_held_by_one_until_it_runs_out(world: World) -> None:
    bucket, length = Bucket(world.js, "SETTINGS"), timedelta(seconds=60)
    assert await take_lease(bucket, "a", NOW, length)
    assert not await take_lease(bucket, "b", NOW + length / 2, length)
    assert await take_lease(bucket, "a", NOW + length / 2, length)
    assert not await take_lease(bucket, "b", NOW + length, length)
    assert await take_lease(bucket, "b", NOW + 2 * length, length)
