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
from tests.bench.processes import broker, cpu_seconds, mail_settings, service, sink
from tests.support.nats import provisioned

_WRITERS = 64


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure one notifier."""
    report = Report("mails", "Mails of one notifier")
    leads = 1_000 if quick else 5_000
    async with sink(folder) as mails, broker(folder) as nats, provisioned(nats) as js:
        await fill(js, leads)
        settings = mail_settings(mails.port)
        assert nats.process is not None
        broker_before = cpu_seconds(nats.process.pid)
        async with service("notifier", nats, folder, **settings) as notifier:
            await mails.until(2 * leads, seconds=120)
            await _until_settled(js)
            ours = cpu_seconds(notifier.pid)
            brokers = cpu_seconds(nats.process.pid) - broker_before
        arrivals = sorted(at for _, at in await mails.take(folder))
    assert len(arrivals) == 2 * leads, "a mail was sent twice"
    tenth = len(arrivals) // 10
    seconds = arrivals[-tenth] - arrivals[tenth]
    report.add("mails", (len(arrivals) - 2 * tenth) / seconds, "/s", Goal("least", 800))
    report.add("processor of the notifier for a mail", ours / len(arrivals) * 1e6, "µs")
    report.add("processor of nats-server for a mail", brokers / len(arrivals) * 1e6, "µs")
    return report


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
