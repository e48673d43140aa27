"""The leads service with a real clamd and a real NATS: who gets which resume, and when."""

import json
from typing import Any
from uuid import UUID

from libs.chassis.jetstream import get_batch
from libs.chassis.metrics import METRICS
from libs.events import Part, RecordedEvent, ResumeScanned, Verdict
from libs.events.topology import AUDIT
from services.leads.auth.permissions import Role
from tests.integration.leads.world import Attorney, Client, World, until
from tests.support.clamd import EICAR, NAME, clamd

CLEAN = b"%PDF-1.7 nothing in it"
INFECTED = b"%PDF-1.7 \n" + EICAR


async def facts(world: World, lead: UUID) -> list[RecordedEvent]:
    events = (await world.store.load(lead)).events
    return [fact for fact in events if fact.part is Part.RESUME]


async def scanned(world: World, *leads: UUID) -> None:
    """Wait until each lead's resume has a result in the log."""

    async def done() -> bool:
        return all([bool(await facts(world, lead)) for lead in leads])

    await until(done, 30)


async def resume_of(who: Attorney, lead: UUID) -> dict[str, Any]:
    found: dict[str, Any] = (await (await who.get(f"/leads/{lead}")).json())["resume"]
    return found


async def download(who: Attorney, lead: UUID) -> tuple[int, str]:
    """The status, and which problem it is."""
    answer = await who.get(f"/leads/{lead}/resume")
    if answer.status == 200:
        return 200, ""
    problem = (await answer.json())["type"].removeprefix("urn:leadlog:problem:")
    if problem == "resume-not-scanned":
        assert int(answer.headers["Retry-After"]) > 0
    return answer.status, problem


def metric(client: Client, name: str) -> float:
    assert client.app is not None
    lines = client.app[METRICS].exposition().decode().splitlines()
    [value] = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")]
    return float(value)


async def audited(world: World, lead: UUID) -> list[tuple[str, str, Any]]:
    messages = await get_batch(world.js._nc, AUDIT, ">")
    entries = [json.loads(message.data) for message in messages]
    return [
        (one["action"], one["outcome"], one["details"].get("reason"))
        for one in entries
        if one.get("target") == f"lead:{lead}" and one["action"].startswith("resume.")
    ]


async def test_a_virus_is_held_back_and_its_lead_is_not(world: World) -> None:
    async with clamd() as server:
        client = await world.replica(clamd=server.url)
        lena = await world.attorney(client)
        bad, good = await world.submit(content=INFECTED), await world.submit(content=CLEAN)
        await scanned(world, bad, good)
        await world.level(lena)

        listed = (await (await lena.get("/leads")).json())["items"]
        assert {lead["id"]: lead["resume"]["scan"] for lead in listed} == {
            str(bad): "infected",
            str(good): "clean",
        }
        resume = await resume_of(lena, bad)
        assert (resume["signature"], resume["quarantined"]) == (NAME, True)
        assert await download(lena, bad) == (403, "resume-quarantined")
        known = {"If-None-Match": f'"{resume["sha256"]}"'}
        assert (await lena.get(f"/leads/{bad}/resume", known)).status == 403
        assert await (await lena.get(f"/leads/{good}/resume")).read() == CLEAN
        assert (await lena.post(f"/leads/{bad}/reached-out")).status == 200
        assert await audited(world, bad) == [("resume.read", "refused", "quarantined")] * 2

        items = (await (await lena.get(f"/leads/{bad}/history")).json())["items"]
        [entry] = [one for one in items if one["type"] == "ResumeScanned"]
        assert (entry["actor"]["kind"], entry["actor"]["name"]) == ("service", "leads")
        assert entry["details"]["signature"] == NAME
        assert entry["details"]["engine"].startswith("ClamAV ")


async def test_an_administrator_releases_a_false_alarm(world: World) -> None:
    async with clamd(tcp=True) as server:
        client = await world.replica(clamd=server.url)
        boss = await world.attorney(client, "boss@firm.example", "Ina Boss", role=Role.ADMIN)
        lena = await world.attorney(client)
        lead = await world.submit(content=INFECTED)
        await scanned(world, lead)
        path, why = f"/leads/{lead}/resume/release", {"reason": "A colleague's test file."}

        assert (await lena.post(path, json=why)).status == 403
        assert (await boss.post(path, json={"reason": "  "})).status == 422
        answers = [await boss.post(path, {"Idempotency-Key": key}, json=why) for key in "aab"]
        bodies = [await answer.json() for answer in answers]
        await world.level(lena)

        assert [body["already_free"] for body in bodies] == [False, False, True]
        assert bodies[0]["resume"] == await resume_of(lena, lead)
        assert bodies[0]["resume"]["scan"] == "infected"
        assert bodies[0]["resume"]["quarantined"] is False
        assert await download(lena, lead) == (200, "")
        assert [fact.event.type for fact in await facts(world, lead)] == [
            "ResumeScanned",
            "ResumeReleased",
        ]
        items = (await (await lena.get(f"/leads/{lead}/history")).json())["items"]
        assert (items[-1]["actor"]["name"], items[-1]["details"]) == ("Ina Boss", why)
        assert [one[:2] for one in await audited(world, lead)] == [
            *[("resume.released", "ok")] * 3,
            ("resume.read", "ok"),
        ]


async def test_while_clamd_is_away_resumes_wait_and_nothing_is_lost(world: World) -> None:
    async with clamd() as server:
        client = await world.replica(clamd=server.url)
        lena = await world.attorney(client)
        before = await world.submit(content=CLEAN)
        await scanned(world, before)
        await server.stop()
        during = [await world.submit(content=content) for content in (INFECTED, CLEAN)]
        await world.level(lena)

        async def noticed() -> bool:
            waiting = metric(client, "resume_scans_waiting")
            return (metric(client, "clamd_away"), waiting) == (1, 2)

        await until(noticed)
        assert (await client.get("/readyz")).status == 200
        assert (await download(lena, before))[0] == 200
        for lead in during:
            assert (await resume_of(lena, lead))["scan"] == "waiting"
            assert await download(lena, lead) == (409, "resume-not-scanned")

        await server.start()
        await scanned(world, *during)
        await world.level(lena)
        assert [(await download(lena, lead))[0] for lead in during] == [403, 200]

        async def counted() -> bool:
            waiting = metric(client, "resume_scans_waiting")
            return (metric(client, "clamd_away"), waiting) == (0, 0)

        await until(counted)
        assert metric(client, 'resume_scans_total{verdict="infected"}') == 1
        assert metric(client, 'resume_scans_total{verdict="clean"}') == 2


async def test_two_replicas_write_one_result_and_old_resumes_are_scanned(world: World) -> None:
    old = [await world.submit(content=INFECTED if n % 3 == 0 else CLEAN) for n in range(12)]
    async with clamd(stream_max="1M") as server:
        off = await world.replica()
        lena = await world.attorney(off)
        await world.level(lena)
        assert (await resume_of(lena, old[0]))["scan"] == "off"
        assert (await download(lena, old[0]))[0] == 200

        here, there = [await world.replica(clamd=server.url) for _ in range(2)]
        new = await world.submit(content=CLEAN + b" " * 2_000_000)
        await scanned(world, *old, new)
        found = [await facts(world, lead) for lead in (*old, new)]
        verdicts = [fact.event.verdict for [fact] in found if isinstance(fact.event, ResumeScanned)]
        assert verdicts == [
            *(Verdict.INFECTED if n % 3 == 0 else Verdict.CLEAN for n in range(12)),
            Verdict.UNSCANNABLE,
        ]
        for client in (off, here, there):  # a verdict counts where scanning is off as well
            reader = lena.at(client)
            await world.level(reader)
            assert await download(reader, old[0]) == (403, "resume-quarantined")
            assert (await download(reader, old[1]))[0] == 200
            assert (await resume_of(reader, new))["scan"] == "unscannable"
            assert (await download(reader, new))[0] == 200
