"""Plots as SVG, written by hand: small, legible without colour, with a description for readers."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from tests.bench.figures import QUANTILES, Report

_WIDTH = 720
_LEFT, _RIGHT = 250, 110
_ROW = 30
_COLOURS = ("#1f5f8b", "#c2571a", "#4d7c3a", "#7a4f9a", "#8a6d1f", "#555555")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 5")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.quiet{fill:#666}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.quiet{fill:#aaa}}"
)


def write(reports: Sequence[Report], folder: Path) -> list[Path]:
    """The plots of those reports that have some; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        f"{report.name}-{kind}.svg": text
        for report in reports
        for kind, draw in (("rates", _rates), ("latency", _latencies))
        if (text := draw(report))
    }
    for name, text in drawn.items():
        (folder / name).write_text(text)
    return [folder / name for name in drawn]


def _rates(report: Report) -> str:
    rates = {figure.name: figure.value for figure in report.figures if figure.unit == "/s"}
    return bars(report.title, "a second", rates) if len(rates) > 1 else ""


def _latencies(report: Report) -> str:
    wanted = {name: values for name, values in report.series.items() if "one at a time" not in name}
    return curves(report.title, wanted) if wanted else ""


def bars(title: str, unit: str, values: Mapping[str, float]) -> str:
    """Horizontal bars, each with its value."""
    most = max(values.values())
    room = _WIDTH - _LEFT - _RIGHT
    body = []
    for row, (name, value) in enumerate(values.items()):
        y = 40 + row * _ROW
        width = max(1.0, room * value / most)
        body.append(
            f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="20" fill="{_COLOURS[0]}"/>'
            f'<text x="{_LEFT + width + 6:.1f}" y="{y + 15}">{value:,.0f} {unit}</text>'
        )
    said = "; ".join(f"{name}: {value:,.0f} {unit}" for name, value in values.items())
    return _svg(title, said, 50 + len(values) * _ROW, body)


def curves(title: str, series: Mapping[str, Sequence[float]]) -> str:
    """Milliseconds, on a logarithmic scale, over the share of submissions that were as fast."""
    height, top, left, right = 300, 40, 60, _WIDTH - 20
    values = [value for one in series.values() for value in one if value > 0]
    low, high = math.log10(min(values)), math.log10(max(values))

    def x(index: int) -> float:
        return left + (right - left) * index / (len(QUANTILES) - 1)

    def y(value: float) -> float:
        share = (math.log10(value) - low) / max(high - low, 1e-9)
        return top + height * (1 - share)

    body = _grid(x, y, low, high, (left, right, top + height))
    for number, (name, points) in enumerate(series.items()):
        colour, dash = _COLOURS[number % 6], _DASHES[number % 6]
        path = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(points))
        line = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        below = top + height + 45 + number * 20
        body += [
            f'<polyline points="{path}" {line}/>',
            f'<polyline points="{left},{below} {left + 40},{below}" {line}/>',
            f'<text x="{left + 50}" y="{below + 4}">{escape(name)}</text>',
        ]
    said = "; ".join(
        f"{name}: median {points[2]:.1f} ms, p99 {points[-1]:.1f} ms"
        for name, points in series.items()
    )
    return _svg(title, said, top + height + 50 + len(series) * 20, body)


def _grid(
    x: Callable[[int], float],
    y: Callable[[float], float],
    low: float,
    high: float,
    frame: tuple[int, int, int],
) -> list[str]:
    left, right, bottom = frame
    steps = [
        digit * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for digit in (1, 2, 5)
    ]
    lines = [
        f'<path d="M{left} {y(step):.1f}H{right}" stroke="#8884"/><text class="quiet" '
        f'x="{left - 6}" y="{y(step) + 4:.1f}" text-anchor="end">{step:g}</text>'
        for step in steps
        if low <= math.log10(step) <= high
    ]
    marks = [
        f'<text class="quiet" x="{x(i):.1f}" y="{bottom + 18}" text-anchor="middle">'
        f"p{quantile * 100:.0f}</text>"
        for i, quantile in enumerate(QUANTILES)
    ]
    return [
        *lines,
        *marks,
        f'<text class="quiet" x="{left - 6}" y="30" text-anchor="end">ms</text>',
    ]


def _svg(title: str, said: str, height: int, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="t d"><title id="t">{escape(title)}</title>'
        f'<desc id="d">{escape(said)}</desc><style>{_STYLE}</style>'
        f'<text x="8" y="22" font-weight="bold">{escape(title)}</text>{"".join(body)}</svg>\n'
    )
