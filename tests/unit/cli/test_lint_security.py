"""docs/security.md names tests that exist; the secret scan finds a secret; the audit is honest."""

import json
import re
import runpy
import secrets
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
AUDIT = runpy.run_path(str(ROOT / ".ci/audit.py"))["verdict"]


def test_every_test_the_security_page_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text())
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file() or f"def {name}(" not in (ROOT / file).read_text()
    ]
    assert len(named) > 40
    assert missing == []


def test_each_row_has_an_id_of_the_standard_and_an_answer() -> None:
    page = (ROOT / "docs/security.md").read_text().partition("## OWASP ASVS")[2]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    for ids, done, proof in rows[1:]:
        assert re.fullmatch(r"\d+\.\d+\.\d+((, | to )\d+\.\d+\.\d+)*", ids), ids
        assert done
        assert proof


def scan(file: Path) -> int:
    return subprocess.run(["sh", ROOT / ".ci/secrets.sh", file], check=False).returncode


def test_a_fresh_key_is_found(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text(f'aws_key = "AKIA{secrets.token_hex(8).upper()}"\n')
    assert scan(file) == 1


def test_ordinary_code_is_not_taken_for_one(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text('greeting = "Good morning"\n')
    assert scan(file) == 0


OK = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "required", "code", "says"),
    [
        ([OK], "", 0, "no known vulnerability in 1"),
        ([OK, BAD], "", 1, "b 2: PYSEC-1"),
        ([SKIPPED, BAD], "", 1, "b 2: PYSEC-1"),
        ([OK, SKIPPED], "", 0, "NOT CHECKED"),
        ([OK, SKIPPED], "required", 1, "NOT CHECKED"),
        (None, "", 0, "NOT CHECKED"),
        (None, "required", 1, "NOT CHECKED"),
    ],
)
def test_the_audit_never_calls_unchecked_good(
    packages: list[dict[str, object]] | None,
    required: str,
    code: int,
    says: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADLOG_AUDIT", required)
    report = None if packages is None else json.dumps({"dependencies": packages})
    assert AUDIT(report, "connection refused") == code
    out = capfd.readouterr()
    assert says in out.out + out.err
