"""How wide commands write."""

import io
import sys

import pytest

from services.cli.console import console

LONG = "x" * 120


@pytest.mark.parametrize(("columns", "whole"), [(None, True), ("80", False), ("200", True)])
def test_what_is_piped_is_cut_only_where_columns_says_so(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, *, whole: bool
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    console().print(LONG)
    assert (LONG in written.getvalue()) == whole
