"""The trail as a file: no cell runs, and what is noted of the filters says no name."""

import csv
import io
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads.audit_files import COLUMNS, csv_lines, json_lines, safe_cell
from services.leads.audit_models import AuditEntryView, AuditExportQuery


def an_entry(**more: object) -> AuditEntryView:
    values: dict[str, object] = {
        "id": UUID(int=7),
        "time": datetime(2026, 3, 9, 14, 5, tzinfo=UTC),
        "position": 3,
        "action": "lead.read",
        "actor": "account:a1",
        "actor_name": "Lena Weber",
        "target": None,
        "target_name": None,
        "outcome": "ok",
        "details": {},
        "address": None,
    }
    return AuditEntryView.model_validate(values | more)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_a_name_that_is_a_formula_is_text(start: str) -> None:
    [row] = rows(csv_lines([an_entry(actor_name=f"{start}1+1")]))
    assert row[COLUMNS.index("actor_name")] == f"'{start}1+1"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_every_name_is_one_cell_that_begins_harmlessly(names: list[str]) -> None:
    found = rows(csv_lines([an_entry(target_name=name) for name in names]))
    cells = [row[COLUMNS.index("target_name")] for row in found]
    assert cells == [safe_cell(name) for name in names]
    assert all(len(row) == len(COLUMNS) for row in found)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)


def test_details_are_json_and_nothing_is_an_empty_cell() -> None:
    [row] = rows(csv_lines([an_entry(details={"count": 2, "first_page": True})]))
    cells = dict(zip(COLUMNS, row, strict=True))
    assert json.loads(cells["details"]) == {"count": 2, "first_page": True}
    assert (cells["target"], cells["time"]) == ("", "2026-03-09T14:05:00Z")


def test_a_line_of_json_is_the_entry_whatever_its_name() -> None:
    text = json_lines([an_entry(actor_name="a\nb"), an_entry()])
    assert len(text.splitlines()) == 2
    assert [json.loads(line)["actor_name"] for line in text.splitlines()] == ["a\nb", "Lena Weber"]


def test_what_was_typed_is_noted_only_when_the_trail_has_it() -> None:
    query = AuditExportQuery.model_validate(
        {"action": "lena.weber", "actor": "lena", "from": "2026-03-09", "format": "jsonl"}
    )
    times = {"from": "2026-03-09T00:00:00Z"}
    assert query.shape(found=False) == {"by_action": True, "by_actor": True, **times}
    assert query.shape(found=True) == {"action": "lena.weber", "actor": "lena", **times}
