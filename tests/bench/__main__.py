"""``python -m tests.bench``: measure, print a table, write JSON, and plots on request."""

import argparse
import asyncio
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import pages, plots
from tests.bench.figures import Figure, Report
from tests.bench.processes import AGAINST

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ("submit", "visible", "mails", "batches", "read_model")


def main() -> None:
    options = _options()
    if options.against:
        os.environ[AGAINST] = options.against
    console = Console()
    reports = []
    started = datetime.now(UTC)
    before = os.getloadavg()
    for name in options.only or BENCHMARKS:
        module = importlib.import_module(f"tests.bench.{name}")
        with (
            console.status(f"measuring: {name}"),
            tempfile.TemporaryDirectory(prefix="leadlog-bench-", dir=options.folder) as folder,
        ):
            report: Report = asyncio.run(module.run(Path(folder), quick=options.quick))
        console.print(_table(report))
        reports.append(report)
    run = _run(started, before, quick=options.quick)
    if options.plots:
        docs = ROOT / "docs" / "bench"
        drawn = plots.write(reports, docs) + [pages.write(one, run, docs) for one in reports]
        console.print(f"Drawn: {', '.join(str(path.relative_to(ROOT)) for path in drawn)}")
    path = _write(run, reports, started)
    console.print(f"Load average before: {before[0]:.1f}. Written to {path.relative_to(ROOT)}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, less exact")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="only this one")
    parser.add_argument("--plots", action="store_true", help="write docs/bench anew")
    parser.add_argument(
        "--against", help="another checkout, to measure its intake and notifier in turns with ours"
    )
    parser.add_argument("--folder", help="where data goes meanwhile; its disk is what is measured")
    return parser.parse_args()


def _table(report: Report) -> Table:
    table = Table("what", "measured", "goal", "", title=report.title, title_justify="left")
    table.columns[1].justify = "right"
    for figure in report.figures:
        table.add_row(figure.name, _shown(figure), str(figure.goal or ""), figure.note)
    return table


def _shown(figure: Figure) -> str:
    if figure.goal is None:
        return figure.shown
    return f"[{'green' if figure.goal.met_by(figure.value) else 'red'}]{figure.shown}[/]"


def _run(started: datetime, load: tuple[float, float, float], *, quick: bool) -> dict[str, object]:
    """Where and when the figures were measured."""
    return {
        "started": started.isoformat(timespec="seconds"),
        "quick": quick,
        "commit": _git("rev-parse", "--short", "HEAD"),
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, {platform.release()}",
        "load_average_before": load,
        "load_average_after": os.getloadavg(),
    }


def _write(run: dict[str, object], reports: list[Report], started: datetime) -> Path:
    document = {**run, "reports": [asdict(report) for report in reports]}
    path = ROOT / "var" / "bench" / f"{started:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False))
    return path


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
