"""Submissions a second, and how long one takes: durable Leadlog beside a volatile monolith.

The systems take turns in each round on one machine. Leadlog is one intake process and one
nats-server with ``sync_interval: always``; the answer comes after the fsync.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.figures import Goal, Report
from tests.bench.load import Result, Spec
from tests.bench.processes import (
    Service,
    Sink,
    broker,
    cpu_seconds,
    generate,
    monolith,
    service,
    sink,
)

CONNECTIONS = 32
LEADLOG, KEYED = "Leadlog, durable", "Leadlog, with Idempotency-Key"
MONOLITH, SILENT = "monolith, volatile", "monolith, no mail"


@dataclass
class System:
    """Something that takes submissions."""

    name: str
    service: Service
    others: tuple[int, ...] = ()
    key: bool = False
    sink: Sink | None = None
    results: list[Result] = field(default_factory=list)
    cpu: list[tuple[float, float]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Submissions a second, the median of the rounds."""
        return median(len(one.latencies) / one.seconds for one in self.results)

    @property
    def latencies(self) -> list[float]:
        return [seconds for result in self.results for seconds in result.latencies]

    async def measure(self, size: int, seconds: float, connections: int = CONNECTIONS) -> Result:
        """One round; processor time is kept, the serving process and the rest."""
        before = [cpu_seconds(pid) for pid in (self.service.pid, *self.others)]
        result = await generate(
            Spec(
                port=self.service.port,
                resume_bytes=size,
                connections=connections,
                seconds=seconds,
                warm_up=min(1.0, seconds / 4),
                key=self.key,
                start=len(self.results) * 10_000_000 + size,
            )
        )
        assert not result.errors, f"{self.name}: {result.first_error}"
        after = [cpu_seconds(pid) for pid in (self.service.pid, *self.others)]
        used = [later - earlier for earlier, later in zip(before, after, strict=True)]
        self.cpu.append((used[0], sum(used[1:])))
        return result


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure both sizes."""
    report = Report("submit", "Submissions, one serving process each")
    seconds, rounds = (2.0, 1) if quick else (4.0, 3)
    for size in (20_000, 200_000):
        async with systems(folder / str(size)) as all_systems:
            for number in range(rounds):
                for system in all_systems[:: 1 if number % 2 == 0 else -1]:
                    system.results.append(await system.measure(size, seconds))
            alone = {one.name: await one.measure(size, 1.0, 1) for one in all_systems}
        _report(report, size, all_systems, alone)
    return report


@asynccontextmanager
async def systems(folder: Path) -> AsyncIterator[list[System]]:
    """All that are compared, running; idle ones use no processor."""
    folder.mkdir(parents=True)
    async with AsyncExitStack() as stack:
        mails = await stack.enter_async_context(sink(folder))
        nats = await stack.enter_async_context(broker(folder))
        intake = await stack.enter_async_context(service("intake", nats, folder))
        loud = await stack.enter_async_context(monolith(folder, mails.port))
        silent = await stack.enter_async_context(monolith(folder / "silent", 0))
        assert nats.process is not None
        yield [
            System(LEADLOG, intake, (nats.process.pid,)),
            System(MONOLITH, loud, (mails.pid,)),
            System(SILENT, silent),
            System(KEYED, intake, (nats.process.pid,), key=True),
        ]


def _report(report: Report, size: int, systems: list[System], alone: dict[str, Result]) -> None:
    label = f"{size // 1000} KB"
    rates = {one.name: one.rate for one in systems}
    for one in systems:
        answered = sum(len(result.latencies) for result in one.results)
        ours, others = (sum(used) for used in zip(*one.cpu, strict=True))
        load = sum(result.cpu_seconds for result in one.results)
        report.add(f"{label}: {one.name}", one.rate, "/s")
        report.add_latency(f"{label}: {one.name}, {CONNECTIONS} at once", one.latencies)
        report.add_latency(f"{label}: {one.name}, one at a time", alone[one.name].latencies)
        note = f"process {ours / answered * 1e6:.0f}, others {others / answered * 1e6:.0f}"
        report.add(f"{label}: {one.name}, processor", ours / answered * 1e6, "µs", note=note)
        report.add(f"{label}: {one.name}, load generator", load / answered * 1e6, "µs")
    for other in (MONOLITH, SILENT):
        goal = Goal("least", 1.0) if other == MONOLITH else None
        report.add(f"{label}: Leadlog ÷ {other}", rates[LEADLOG] / rates[other], "x", goal)
