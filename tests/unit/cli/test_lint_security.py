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


# ASVS 5.0.0: how many requirements of levels 1 and 2 each section has; they come first, so 1.1.1
# and 1.1.2 are those of "1.1". From the standard's own CSV file.
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5,
    "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2,
    "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4,
    "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2,
    "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1,
    "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip


def table() -> list[list[str]]:
    page = (ROOT / "docs/security.md").read_text().partition("## OWASP ASVS")[2]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return rows[1:]


def left_out() -> list[str]:
    page = (ROOT / "docs/security.md").read_text().partition("What does not apply:")[2]
    ids = []
    for first, last in re.findall(
        r"(\d+\.\d+\.\d+)(?: to (\d+\.\d+\.\d+))?", re.sub(r"\(.*?\)", "", page)
    ):
        section, _, begin = first.rpartition(".")
        end = (last or first).rpartition(".")[2]
        ids += [f"{section}.{n}" for n in range(int(begin), int(end) + 1)]
    return ids


def test_each_requirement_of_levels_1_and_2_is_answered_once() -> None:
    wanted = {f"{at}.{n}" for at, count in SECTIONS.items() for n in range(1, count + 1)}
    answered = [row[0] for row in table()] + left_out()
    assert len(wanted) == 253
    assert set(answered) == wanted
    assert len(answered) == len(wanted)


def test_each_row_has_an_answer_and_a_proof_and_they_are_counted() -> None:
    page = (ROOT / "docs/security.md").read_text()
    for identifier, done, proof in table():
        assert re.fullmatch(r"\d+\.\d+\.\d+", identifier), identifier
        assert done
        for file in re.findall(r"(?:docs|services|deploy|tests)/[\w/.-]+\w", proof):
            assert (ROOT / file).is_file(), file
        for section in re.findall(r"^section ([\w ]+)$", proof):
            assert f"\n## {section}\n" in page, section
    answers = [row[1] for row in table()]
    unmet = sum("**not met**" in one for one in answers)
    operator = sum(one.startswith("**operator**") for one in answers)
    met = len(answers) - unmet - operator
    assert f"{met} met, {operator} the operator's, {unmet} not met" in page


def scan(file: Path) -> int:
    return subprocess.run(["sh", ROOT / ".ci/secrets.sh", file], check=False).returncode


def test_a_fresh_key_is_found(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text(f'aws_key = "AKIA{secrets.token_hex(8).upper()}"\n')
    assert scan(file) == 1


def test_whatever_the_scan_passes_over_was_looked_at() -> None:
    # A new entry is looked at, and marked, by `detect-secrets audit .secrets.baseline`.
    files = json.loads((ROOT / ".secrets.baseline").read_text())["results"]
    entries = [(file, one) for file, found in files.items() for one in found]
    assert entries
    assert [file for file, one in entries if one.get("is_secret") is not False] == []


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
