"""TOTP: the vectors of RFC 6238, and which code counts."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from services.leads.auth.mfa import totp
from services.leads.auth.mfa.credentials import Totp

# RFC 6238, appendix B, SHA-1: the last six of the eight digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2026, 3, 1, 9, 30, 10, tzinfo=UTC)
STEP = totp.step_at(NOW)


def factor(last_step: int = 0, failures: int = 0, free_at: datetime | None = None) -> Totp:
    return Totp(
        secret="sealed", added_at=NOW, last_step=last_step, failures=failures, free_at=free_at
    )


def check(of: Totp, code: str, now: datetime = NOW) -> totp.Checked:
    return totp.check(of, SECRET, code, now)


def code(step: int = STEP) -> str:
    return totp.code_at(SECRET, step)


@pytest.mark.parametrize(("seconds", "expected"), VECTORS)
def test_the_vectors_of_the_rfc(seconds: int, expected: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.code_at(SECRET, totp.step_at(at)) == expected
    assert totp.matching_step(SECRET, expected, at) == seconds // 30


def test_a_secret_has_160_bits_and_the_address_says_what_it_is_for() -> None:
    secret = totp.new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert secret != totp.new_secret()
    uri = urlsplit(totp.enrolment_uri(secret, "lena@firm.example"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query) == {"secret": [secret], "issuer": ["Leadlog"]}


@pytest.mark.parametrize(
    ("offset", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_one_step_before_and_after_counts(offset: int, *, accepted: bool) -> None:
    assert check(factor(), code(STEP + offset)).accepted is accepted


def test_a_code_counts_once_and_none_from_before_it() -> None:
    first = check(factor(), code())
    assert first.accepted
    assert not check(first.totp, code()).accepted
    assert not check(first.totp, code(STEP - 1)).accepted
    assert check(first.totp, code(STEP + 1)).accepted


@pytest.mark.parametrize(
    "typed", ["", "000000 ", "abcdef", "12345", "\uff11" * 6, "\ud800", "0" * 200]
)
def test_what_is_no_code_is_wrong(typed: str) -> None:
    checked = check(factor(), typed)
    assert not checked.accepted
    assert checked.totp.failures == 1


def test_the_first_code_confirms_the_app_and_is_used_up() -> None:
    assert totp.confirmed(SECRET, "sealed", "000000", NOW) is None
    added = totp.confirmed(SECRET, "sealed", code(), NOW)
    assert added is not None
    assert not check(added, code()).accepted


def test_wrong_codes_in_a_row_make_a_growing_pause_in_which_no_code_is_looked_at() -> None:
    now, of = NOW, factor()
    waits = []
    for _ in range(14):
        checked = check(of, "wrong", now)
        waits.append(checked.wait)
        now, of = now + timedelta(seconds=checked.wait), checked.totp
    assert waits == [0, 0, 0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]

    early = check(of, code(totp.step_at(now)), now - timedelta(seconds=1))
    assert (early.accepted, early.wait, early.totp) == (False, 1, of)
    late = check(of, code(totp.step_at(now)), now)
    assert (late.accepted, late.totp.failures, late.totp.free_at) == (True, 0, None)


def test_the_owner_is_told_once_when_the_pauses_begin() -> None:
    now, of, alarms = NOW, factor(), []
    for _ in range(8):
        checked = check(of, "wrong", now)
        alarms.append(checked.alarm)
        now, of = now + timedelta(seconds=checked.wait), checked.totp
    assert alarms == [False] * 5 + [True] + [False] * 2
