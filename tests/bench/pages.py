"""A run's figures as pages under docs/bench, so that nobody copies numbers by hand."""

from collections.abc import Mapping
from pathlib import Path

from tests.bench.figures import Figure, Report


def write(report: Report, run: Mapping[str, object], folder: Path) -> Path:
    """One report's page; the file written.

    Args:
        report: what was measured.
        run: where and when, as in the JSON of the run.
        folder: where pages and plots are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.name}.md"
    path.write_text(page(report, run))
    return path


def page(report: Report, run: Mapping[str, object]) -> str:
    """The page's text."""
    table = "\n".join(_row(figure) for figure in report.figures)
    facts = "; ".join(f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in run.items())
    return (
        f"# {report.title}\n\n"
        f"Written by `make bench ARGS=--plots`. {facts}.\n\n"
        f"| what | measured | goal | met |\n|---|---:|---|---|\n{table}\n"
    )


def _row(figure: Figure) -> str:
    met = "" if figure.goal is None else "yes" if figure.goal.met_by(figure.value) else "no"
    cells = (figure.name, figure.shown, str(figure.goal or ""), met)
    return f"| {' | '.join(cells)} |"


def _plain(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(f"{each:.1f}" for each in value)
        case _:
            return str(value)
