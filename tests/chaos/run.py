"""One run: load and faults side by side, then quiet, then the comparison."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
from nats.js import JetStreamContext
from nats.js.errors import APIError

from tests.chaos import checks, evidence
from tests.chaos.checks import InFlight
from tests.chaos.evidence import Evidence
from tests.chaos.killer import Done, Killer
from tests.chaos.load import Load
from tests.chaos.schedule import Lane, lane_faults
from tests.chaos.system import ACK_WAIT, ATTORNEY, CONCURRENCY, PASSWORD, USER, System, running
from tests.chaos.watch import Watch

Say = Callable[[str], None]
MAILS_PER_LEAD = 2
_QUIET_SECONDS = 2 * ACK_WAIT + 50


@dataclass(frozen=True)
class Plan:
    """What one run is to be.

    Attributes:
        seconds: how long faults go on.
        lanes: which programs are in for which faults.
        people: prospects who send at the same time.
    """

    seed: int
    seconds: float
    nodes: int = 3
    replicas: int = 2
    people: int = 16
    lanes: tuple[Lane, ...] = (
        Lane("nodes", ("node1", "node2", "node3"), (0.5, 2), (0.3, 4), 1, 1, settle=2),
        Lane(
            "services",
            ("intake1", "intake2", "leads1", "leads2", "notifier1", "notifier2"),
            (1, 3),
            (0.2, 2),
        ),
        Lane("mail", ("mail",), (5, 9), (0.2, 2)),
    )


SINGLE = (Lane("nodes", ("node1",), (0.8, 1.8), (0.1, 0.8), settle=0.6),)
"""For a single node: kill -9 in a loop."""


@dataclass
class Report:
    """What came of a run.

    Attributes:
        wrong: every promise that was broken, in words; empty is what is wanted.
        falls: programs that ended by themselves, and how.
    """

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    falls: dict[str, list[str]] = field(default_factory=dict)
    slow: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """For people."""
        faults = Counter(f"{done.fault.kind} {done.fault.target}" for done in self.done)
        lines = [f"seed {self.plan.seed}, {self.plan.seconds:.0f} s of faults"]
        lines += [f"  {what}: {count}" for what, count in self.figures.items()]
        lines.append(
            "  faults: " + ", ".join(f"{n} x {what}" for what, n in sorted(faults.items()))
        )
        for name, falls in self.falls.items():
            lines.append(f"  {name} ended by itself {len(falls)} times; at first with {falls[0]}")
        if self.slow:
            lines.append(f"  nodes that were not healthy in time: {self.slow}")
        lines += [f"WRONG: {text}" for text in self.wrong] or ["  nothing is wrong"]
        return "\n".join(lines)


async def run(plan: Plan, folder: Path, say: Say) -> Report:
    """Start everything, break it, let it come to rest, and compare."""
    system = System(folder, nodes=plan.nodes, replicas=plan.replicas)
    report = Report(plan)
    async with running(system):
        say("everything runs")
        token = await _log_in(system)
        load = Load(
            plan.seed,
            [service.url for service in system.services["intake"]],
            [service.url for service in system.services["leads"]],
            token,
            people=plan.people,
        )
        watches = [Watch(one.name, one.url, token) for one in system.services["leads"]]
        watching = [asyncio.create_task(watch.run()) for watch in watches]
        try:
            await _break(plan, system, load, report, say)
            found = await _come_to_rest(system, load, token, say)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        _judge(report, system, load, watches, found)
    return report


async def _break(plan: Plan, system: System, load: Load, report: Report, say: Say) -> None:
    killer = Killer(system, say)
    sending = asyncio.create_task(load.run())
    lanes = [lane_faults(plan.seed, lane, plan.seconds) for lane in plan.lanes]
    await _while(sending, killer.run(lanes))
    load.stop.set()
    say("no more faults; everybody who waits is seen through")
    await sending
    report.done, report.slow = killer.done, killer.slow


async def _while(sending: asyncio.Task[None], work: Coroutine[Any, Any, None]) -> None:
    """Do the work; a load generator that fails ends it."""
    task = asyncio.create_task(work)
    await asyncio.wait({task, sending}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await sending
    await task


async def _log_in(system: System) -> str:
    url = f"{system.services['leads'][0].url}/auth/token"
    form = {"grant_type": "password", "username": ATTORNEY, "password": system.password}
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return str(body["access_token"])


async def _come_to_rest(system: System, load: Load, token: str, say: Say) -> Evidence:
    """Wait until every mail is noted, then gather what is left; stops the leads replicas."""
    client = await evidence.connect(system.nats_urls, USER, PASSWORD)
    try:
        js = client.jetstream(timeout=5)
        began = monotonic()
        await _until_quiet(js)
        say(f"quiet after {monotonic() - began:.1f} s")
        found = Evidence(facts=await evidence.read_facts(js), dead=await evidence.read_dead(js))
        names = [fact.data["resume"]["object"] for fact in found.facts if fact.part == "submission"]
        found.resumes = await evidence.read_resumes(js, names)
        say(f"{len(names)} resumes read")
    finally:
        await client.close()
    found.mails = evidence.read_mails(system.mails)
    say(f"{len(found.mails)} mails read")
    await _read_the_models(system, token, found)
    say("read models read")
    return found


async def _until_quiet(js: JetStreamContext) -> None:
    """Until each submission has its mails noted; or until that has had all the time it needs."""
    end = monotonic() + _QUIET_SECONDS
    while monotonic() < end:
        with suppress(APIError, TimeoutError, AssertionError):
            facts = await evidence.read_facts(js)
            submitted = sum(fact.part == "submission" for fact in facts)
            if sum(fact.part == "mail" for fact in facts) >= submitted * MAILS_PER_LEAD:
                return
        await asyncio.sleep(0.5)


async def _read_the_models(system: System, token: str, found: Evidence) -> None:
    """Each replica's answers and file, and those of one that starts with nothing."""
    others = system.names("intake", "notifier")  # done with; the machine is small
    await asyncio.gather(*(system.programs[name].stop() for name in others))
    fresh = system.service("leads", "fresh")
    await fresh.program.start()
    await fresh.program.until_ready(60)
    replicas = [*system.services["leads"], fresh]
    position = found.facts[-1].position
    for replica in replicas:
        found.inboxes[replica.name] = await evidence.read_inbox(replica.url, token, position)
    await asyncio.gather(*(replica.program.stop() for replica in replicas))
    for replica in replicas:
        found.tables[replica.name] = evidence.read_tables(system.database(replica.name))


def _judge(
    report: Report, system: System, load: Load, watches: Sequence[Watch], found: Evidence
) -> None:
    kills = [
        kill for name in system.names("mail", "notifier") for kill in system.programs[name].kills
    ]
    allowed = InFlight(sorted(kills), CONCURRENCY * MAILS_PER_LEAD)
    report.wrong += checks.submissions(load.submissions, found)
    report.wrong += checks.commands(load.commands, found)
    report.wrong += checks.streams(found)
    report.wrong += checks.read_models(found, "fresh")
    report.wrong += checks.mails(found, ATTORNEY, allowed)
    report.wrong += load.unseen
    report.wrong += [text for watch in watches for text in watch.backwards]
    report.wrong += [
        f"{one.email} ({one.manner}) was never acknowledged, though it was tried for long"
        for one in load.submissions
        if one.manner in {"patient", "both at once"} and not one.acknowledged
    ]
    report.falls = {name: one.falls for name, one in system.programs.items() if one.falls}
    report.figures = _figures(load, watches, found)


def _figures(load: Load, watches: Sequence[Watch], found: Evidence) -> dict[str, int]:
    sent = load.submissions
    submitted = {fact.data["email"] for fact in found.facts if fact.part == "submission"}
    silent = [one for one in sent if not one.acknowledged]
    mails = len(found.mails)
    return {
        "forms sent": len(sent),
        "acknowledged": sum(bool(one.acknowledged) for one in sent),
        "not acknowledged": len(silent),
        "of these in the log all the same": sum(one.email in submitted for one in silent),
        "attempts without a clear answer": sum(one.unclear for one in sent),
        "reached-out commands": len(load.commands),
        "of these told at first that the lead is unknown": sum(
            one.unknown > 0 for one in load.commands
        ),
        "events": len(found.facts),
        "mails": mails,
        "mails that came again": mails - len({mail.message_id for mail in found.mails}),
        "looks at the replicas": sum(watch.looks for watch in watches),
    }
