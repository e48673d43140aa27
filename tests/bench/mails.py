"""Mails a second of one notifier, against a mail server that takes everything at once.

The log is filled first; then the notifier starts, and has two mails to send for each lead.
The first tenth and the last tenth are left out: connecting and running dry are not speed.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from nats.js import JetStreamContext

from libs.events import LeadSubmitted, NewEvent, Part, ResumeRef, new_id
from libs.events.jetstream import JetStreamEventStore
from tests.bench.figures import Goal, Report
from tests.bench.load import address
from tests.bench.processes import (
    broker,
    cpu_seconds,
    mail_settings,
    other_checkout,
    service,
    sink,
)
from tests.support.nats import provisioned

_WRITERS = 64


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure one notifier, and that of another checkout in turns if one is named."""
    report = Report("mails", "Mails of one notifier")
    leads = 1_000 if quick else 5_000
    await _measure(report, folder / "first", leads, "", None)
    if (checkout := other_checkout()) is not None:
        await _measure(report, folder / "second", leads, ", the other checkout", checkout)
        await _measure(report, folder / "third", leads, ", once more", None)
    return report


async def _measure(
    report: Report, folder: Path, leads: int, label: str, checkout: Path | None
) -> None:
    folder.mkdir()
    async with sink(folder) as mails, broker(folder) as nats, provisioned(nats) as js:
        await fill(js, leads)
        assert nats.process is not None
        before = cpu_seconds(nats.process.pid)
        settings = mail_settings(mails.port)
        async with service("notifier", nats, folder, checkout, **settings) as notifier:
            started = cpu_seconds(notifier.pid)
            already = await mails.count()
            await mails.until(2 * leads, seconds=300)
            await _until_settled(js)
            ours = (cpu_seconds(notifier.pid) - started) / (2 * leads - already)
            brokers = (cpu_seconds(nats.process.pid) - before) / (2 * leads)
        arrivals = sorted(at for _, at in await mails.take(folder))
    assert len(arrivals) == 2 * leads, "a mail was sent twice"
    tenth = len(arrivals) // 10
    seconds = arrivals[-tenth] - arrivals[tenth]
    goal = None if checkout else Goal("least", 800)
    report.add(f"mails{label}", (len(arrivals) - 2 * tenth) / seconds, "/s", goal)
    report.add(f"processor of the notifier for a mail{label}", ours * 1e6, "µs")
    report.add(f"processor of nats-server for a mail{label}", brokers * 1e6, "µs")


async def fill(js: JetStreamContext, leads: int) -> None:
    """Write so many submissions to the log."""
    store = JetStreamEventStore(js)
    numbers = iter(range(leads))

    async def write() -> None:
        for number in numbers:
            await store.append(new_id(), Part.SUBMISSION, [_submitted(number)], expected=0)

    await asyncio.gather(*(write() for _ in range(_WRITERS)))


def _submitted(number: int) -> NewEvent:
    resume = ResumeRef(
        object="none",
        file_name="cv.pdf",
        media_type="application/pdf",
        size=20_000,
        sha256="0" * 64,
    )
    return NewEvent(
        event=LeadSubmitted(
            first_name="Ada", last_name="Byron", email=address(number), resume=resume
        ),
        id=new_id(),
        time=datetime.now(UTC),
        source="/leadlog/intake",
        actor="prospect",
    )


async def _until_settled(js: JetStreamContext, seconds: float = 60) -> None:
    """Until every event is acknowledged: each mail's fact is in the log then."""
    end = monotonic() + seconds
    while True:
        info = await js.consumer_info("LEADS", "notifier")
        if not info.num_pending and not info.num_ack_pending:
            return
        assert monotonic() < end, "the notifier does not settle its events"
        await asyncio.sleep(0.05)
