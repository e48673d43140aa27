"""Audit entries as a file: a table for a spreadsheet, or JSON lines (pure)."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from services.leads.audit_models import AuditEntryView

COLUMNS: Final = (
    "position",
    "id",
    "time",
    "action",
    "actor",
    "actor_name",
    "target",
    "target_name",
    "outcome",
    "address",
    "details",
)
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How entries are written.

    Attributes:
        media_type: with its parameters.
        head: what comes before the first entry.
        write: some entries, whole lines.
    """

    media_type: str
    head: str
    write: Callable[[Iterable[AuditEntryView]], str]


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (OWASP ASVS 5.0, 1.2.10).

    A name is whatever somebody typed into the public form.
    """
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def csv_lines(entries: Iterable[AuditEntryView]) -> str:
    """Return entries as lines of RFC 4180."""
    return _table(
        [_cell(entry.model_dump(mode="json")[name]) for name in COLUMNS] for entry in entries
    )


def json_lines(entries: Iterable[AuditEntryView]) -> str:
    """Return one JSON object for each entry, each on its line."""
    return "".join(f"{entry.model_dump_json()}\n" for entry in entries)


def _table(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return safe_cell("" if value is None else str(value))


FORMATS: Final = {
    "csv": FileFormat("text/csv; charset=utf-8; header=present", _table([COLUMNS]), csv_lines),
    "jsonl": FileFormat("application/x-ndjson", "", json_lines),
}
