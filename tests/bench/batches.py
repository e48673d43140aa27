"""When an atomic batch pays: single messages beside batches, on a server that syncs each write.

``libs.chassis.group_commit.WORTH_A_BATCH`` comes from here.
"""

import asyncio
from dataclasses import dataclass
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
        for size in _SIZES:
            run_of = _Run(report, js, nats.process.pid, messages, size)
            for under_way in (1, 12, 32):
                await run_of.singly(under_way)
            for together in (2, 4, 8, 12, 16, 32):
                await run_of.together(together)
    return report


@dataclass(frozen=True)
class _Run:
    """So many messages of one size, in different ways."""

    report: Report
    js: JetStreamContext
    pid: int
    messages: int
    size: int

    async def singly(self, under_way: int) -> None:
        left = iter(range(self.messages))

        async def worker() -> None:
            for _ in left:
                await publish(self.js, *_message(self.size))

        before, started = cpu_seconds(self.pid), monotonic()
        await asyncio.gather(*(worker() for _ in range(under_way)))
        self._add(f"singly, {under_way} under way", self.messages, started, before)

    async def together(self, in_one: int) -> None:
        batches = self.messages // in_one
        label = f"batches of {in_one}"
        before, started = cpu_seconds(self.pid), monotonic()
        for _ in range(batches):
            batch = [_message(self.size) for _ in range(in_one)]
            await publish_batch(self.js, batch, uuid4().hex)
        seconds = self._add(label, batches * in_one, started, before)
        name = f"{self.size} bytes: {label}, time for one"
        self.report.add(name, seconds / batches * 1000, "ms")

    def _add(self, label: str, messages: int, started: float, before: float) -> float:
        seconds, cpu = monotonic() - started, cpu_seconds(self.pid) - before
        label = f"{self.size} bytes: {label}"
        self.report.add(label, messages / seconds, "/s")
        each = cpu / messages * 1e6
        self.report.add(f"{label}, processor of nats-server for a message", each, "µs")
        return seconds


def _message(size: int) -> tuple[str, bytes, dict[str, str]]:
    return f"$KV.SETTINGS.{next(_numbers)}", b"x" * size, {"Nats-Msg-Id": uuid4().hex}
