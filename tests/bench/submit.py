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
    broker,
    cpu_seconds,
    generate,
    monolith,
    other_checkout,
    service,
    sink,
)

CONNECTIONS = 32
LEADLOG, KEYED = "Leadlog, durable", "Leadlog, with Idempotency-Key"
OTHER = "Leadlog, the other checkout"
MONOLITH, SILENT = "monolith, volatile", "monolith, no mail"


@dataclass(frozen=True)
class Round:
    """What came back, and the processor time for one submission, in seconds."""

    result: Result
    serving: float
    others: float


@dataclass
class System:
    """Something that takes submissions."""

    name: str
    service: Service
    others: tuple[int, ...] = ()
    key: bool = False
    rounds: list[Round] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Submissions a second, the median of the rounds."""
        return median(len(one.result.latencies) / one.result.seconds for one in self.rounds)

    @property
    def latencies(self) -> list[float]:
        return [seconds for one in self.rounds for seconds in one.result.latencies]

    async def measure(self, size: int, seconds: float, connections: int = CONNECTIONS) -> Round:
        """Send for some seconds."""
        before = [cpu_seconds(pid) for pid in (self.service.pid, *self.others)]
        result = await generate(
            Spec(
                port=self.service.port,
                resume_bytes=size,
                connections=connections,
                seconds=seconds,
                warm_up=min(1.0, seconds / 4),
                key=self.key,
                start=len(self.rounds) * 10_000_000 + size,
            )
        )
        assert not result.errors, f"{self.name}: {result.first_error}"
        after = [cpu_seconds(pid) for pid in (self.service.pid, *self.others)]
        serving, *others = (
            (later - earlier) / result.answered
            for earlier, later in zip(before, after, strict=True)
        )
        return Round(result, serving, sum(others))


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure both sizes."""
    report = Report("submit", "Submissions, one serving process each")
    seconds, rounds = (2.0, 1) if quick else (4.0, 3)
    for size in (20_000, 200_000):
        alone: dict[str, Result] = {}
        async with systems(folder / str(size)) as all_systems:
            for number in range(rounds):
                for system in all_systems[:: 1 if number % 2 == 0 else -1]:
                    system.rounds.append(await system.measure(size, seconds))
            for one in all_systems:
                alone[one.name] = (await one.measure(size, 1.0, 1)).result
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
        compared = [
            System(LEADLOG, intake, (nats.process.pid,)),
            System(MONOLITH, loud, (mails.pid,)),
            System(SILENT, silent),
            System(KEYED, intake, (nats.process.pid,), key=True),
        ]
        if (checkout := other_checkout()) is not None:
            away = folder / "other"
            own = await stack.enter_async_context(broker(away))
            other = await stack.enter_async_context(service("intake", own, away, checkout))
            assert own.process is not None
            compared.append(System(OTHER, other, (own.process.pid,)))
        yield compared


def _report(report: Report, size: int, systems: list[System], alone: dict[str, Result]) -> None:
    label = f"{size // 1000} KB"
    rates = {one.name: one.rate for one in systems}
    for one in systems:
        report.add(f"{label}: {one.name}", one.rate, "/s")
        report.add_latency(f"{label}: {one.name}, {CONNECTIONS} at once", one.latencies)
        report.add_latency(f"{label}: {one.name}, one at a time", alone[one.name].latencies)
        ours = median(each.serving for each in one.rounds) * 1e6
        others = median(each.others for each in one.rounds) * 1e6
        load = sum(each.result.cpu_seconds for each in one.rounds) / len(one.latencies) * 1e6
        report.add(f"{label}: {one.name}, processor of the serving process", ours, "µs")
        report.add(f"{label}: {one.name}, of nats-server or mail sink", others, "µs")
        report.add(f"{label}: {one.name}, of the load generator", load, "µs")
    for other in (MONOLITH, SILENT, OTHER):
        if other not in rates:
            continue
        goal = Goal("least", 1.0) if other == MONOLITH else None
        report.add(f"{label}: Leadlog ÷ {other}", rates[LEADLOG] / rates[other], "x", goal)
