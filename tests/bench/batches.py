"""When an atomic batch pays: single messages beside batches, on a server that syncs each write.

``libs.chassis.group_commit.WORTH_A_BATCH`` comes from here.
"""

import asyncio
from itertools import count
from pathlib import Path
from time import monotonic
from uuid import uuid4

from nats.js import JetStreamContext

from libs.chassis.jetstream import publish, publish_batch
from tests.bench.figures import Report
from tests.bench.processes import broker, cpu_seconds
from tests.support.nats import provisioned

_SIZES = (600, 20_000)
_numbers = count()


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure both, for a small message and for one of a resume's size."""
    report = Report("batches", "Single messages and atomic batches")
    messages = 480 if quick else 1_920
    async with broker(folder) as nats, provisioned(nats) as js:
        assert nats.process is not None
        pid = nats.process.pid
        for size in _SIZES:
            for under_way in (1, 12, 32):
                label = f"{size} bytes: singly, {under_way} under way"
                await _singly(report, label, js, pid, messages, size, under_way)
            for together in (2, 4, 8, 12, 16, 32):
                label = f"{size} bytes: batches of {together}"
                await _together(report, label, js, pid, messages, size, together)
    return report


async def _singly(
    report: Report,
    label: str,
    js: JetStreamContext,
    pid: int,
    messages: int,
    size: int,
    under_way: int,
) -> None:
    left = iter(range(messages))

    async def worker() -> None:
        for _ in left:
            await publish(js, *_message(size))

    before, started = cpu_seconds(pid), monotonic()
    await asyncio.gather(*(worker() for _ in range(under_way)))
    _add(report, label, messages, monotonic() - started, cpu_seconds(pid) - before)


async def _together(
    report: Report,
    label: str,
    js: JetStreamContext,
    pid: int,
    messages: int,
    size: int,
    together: int,
) -> None:
    batches = messages // together
    before, started = cpu_seconds(pid), monotonic()
    for _ in range(batches):
        await publish_batch(js, [_message(size) for _ in range(together)], uuid4().hex)
    seconds = monotonic() - started
    report.add(f"{label}, time for one", seconds / batches * 1000, "ms")
    _add(report, label, batches * together, seconds, cpu_seconds(pid) - before)


def _add(report: Report, label: str, messages: int, seconds: float, cpu: float) -> None:
    report.add(label, messages / seconds, "/s")
    report.add(f"{label}, processor of nats-server for a message", cpu / messages * 1e6, "µs")


def _message(size: int) -> tuple[str, bytes, dict[str, str]]:
    return f"$KV.SETTINGS.{next(_numbers)}", b"x" * size, {"Nats-Msg-Id": uuid4().hex}
