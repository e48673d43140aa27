"""What a run of the benchmarks finds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Goal:
    """What a figure should reach."""

    at: Literal["least", "most"]
    value: float

    def met_by(self, value: float) -> bool:
        return value >= self.value if self.at == "least" else value <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.at == 'least' else '≤'} {self.value:g}"


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    note: str = ""

    @property
    def shown(self) -> str:
        """The value as a person reads it."""
        return f"{self.value:,.{0 if abs(self.value) >= 100 else 2}f} {self.unit}"


@dataclass
class Report:
    """The figures of one benchmark, and what a plot needs besides."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, list[float]] = field(default_factory=dict)
    """Latencies in milliseconds at ``QUANTILES``, by what was measured."""

    def add(
        self, name: str, value: float, unit: str, goal: Goal | None = None, note: str = ""
    ) -> None:
        self.figures.append(Figure(name, value, unit, goal, note))

    def add_latency(self, name: str, seconds: Sequence[float], *, p99: Goal | None = None) -> None:
        """p50, p95 and p99 in milliseconds; a curve for the plot."""
        for quantile, goal in ((0.5, None), (0.95, None), (0.99, p99)):
            value = percentile(seconds, quantile) * 1000
            self.add(f"{name}, p{quantile * 100:.0f}", value, "ms", goal)
        self.series[name] = [percentile(seconds, quantile) * 1000 for quantile in QUANTILES]


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)


def percentile(values: Sequence[float], quantile: float) -> float:
    """The nearest-rank percentile; not a number when there are no values."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(quantile * len(ranked)) - 1)]
