"""From a submission until an attorney sees the lead, and until both mails are accepted.

All three services run, one process each. The maximum is what the whole system takes: so many
leads at once, until the last mail is accepted. The times are measured at half of that rate,
evenly spread, each from when the submission was due.
"""

from collections import defaultdict
from pathlib import Path
from time import monotonic

import aiohttp

from libs.chassis.buckets import Bucket
from services.leads.auth.accounts import create_account
from tests.bench.figures import Goal, Report
from tests.bench.load import Probe, Result, Spec
from tests.bench.processes import (
    ATTORNEY,
    Service,
    Sink,
    broker,
    cpu_seconds,
    generate,
    mail_settings,
    service,
    sink,
)
from tests.support.nats import NatsServer, provisioned

_BYTES = 20_000
_CONNECTIONS = 32
_FIRST = 1_000_000
"""The number of the first submission at half the load."""


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure the maximum, then the times at half of it."""
    report = Report("visible", "From a submission to what follows from it, all services running")
    burst, seconds = (600, 5.0) if quick else (3_000, 20.0)
    database = folder / "leads.sqlite"
    async with (
        sink(folder) as mails,
        broker(folder) as nats,
        service("intake", nats, folder) as intake,
        service("leads", nats, folder, database=database) as leads,
        service("notifier", nats, folder, **mail_settings(mails.port)) as notifier,
    ):
        assert nats.process is not None
        pids = {
            "intake": intake.pid,
            "leads": leads.pid,
            "notifier": notifier.pid,
            "nats-server": nats.process.pid,
            "mail sink": mails.pid,
        }
        await _maximum(intake, mails, burst // 4, folder)  # warms everything up
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        most = await _maximum(intake, mails, burst, folder)
        used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
        probe = Probe(port=leads.port, token=await _log_in(nats, leads), every=5)
        spec = Spec(
            port=intake.port,
            resume_bytes=_BYTES,
            connections=_CONNECTIONS,
            seconds=seconds,
            rate=most / 2,
            start=_FIRST,
            probe=probe,
        )
        result = await generate(spec)
        assert not result.errors, result.first_error
        await mails.until(2 * len(result.latencies), seconds=60)
        mailed = _mailed(result, await mails.take(folder))
    report.add("whole system, until the last mail", most, "leads/s")
    for name, seconds_used in used.items():
        report.add(f"processor of {name} for a lead", seconds_used / burst * 1e6, "µs")
    report.add("load while the times were measured", len(result.latencies) / seconds, "leads/s")
    report.add_latency("answered", result.latencies)
    report.add_latency("visible, from the submission on", result.visible, p99=Goal("most", 25))
    report.add_latency("visible, from the answer on", result.visible_after_answer)
    report.add_latency("both mails accepted", mailed, p99=Goal("most", 100))
    return report


async def _maximum(intake: Service, mails: Sink, count: int, folder: Path) -> float:
    """Leads a second, from the first submission to the last mail."""
    started = monotonic()
    result = await generate(
        Spec(port=intake.port, resume_bytes=_BYTES, connections=_CONNECTIONS, requests=count)
    )
    assert not result.errors, result.first_error
    await mails.until(2 * count, seconds=120)
    arrivals = await mails.take(folder)
    first = min(result.sent, default=started)
    return count / (max(at for _, at in arrivals) - first)


def _mailed(result: Result, arrivals: list[tuple[int, float]]) -> list[float]:
    """For each submission, how long it took until its second mail was accepted."""
    by_number = defaultdict[int, list[float]](list)
    for number, at in arrivals:
        by_number[number].append(at)
    return [
        max(by_number[number]) - due
        for number, due in zip(result.numbers, result.sent, strict=True)
    ]


async def _log_in(nats: NatsServer, leads: Service) -> str:
    async with provisioned(nats) as js:
        _, password = await create_account(Bucket(js, "ACCOUNTS"), ATTORNEY, "Anna")
    form = {"grant_type": "password", "username": ATTORNEY, "password": password}
    url = f"http://127.0.0.1:{leads.port}/auth/token"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["access_token"])
