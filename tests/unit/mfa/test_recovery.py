"""Recovery codes: each once, kept as hashes."""

from datetime import UTC, datetime

import pytest

from services.leads.auth.mfa import recovery
from services.leads.auth.mfa.credentials import Credentials, Totp

APP = Totp(secret="sealed", added_at=datetime(2026, 3, 1, tzinfo=UTC), last_step=1)


def test_ten_codes_of_120_bits_that_the_record_does_not_show() -> None:
    codes = recovery.new_codes()
    kept = recovery.with_codes(Credentials(totp=APP), codes)
    assert len(set(codes)) == 10
    assert {len(code.replace("-", "")) * 5 for code in codes} == {120}
    assert not any(code in kept.model_dump_json() for code in codes)
    assert kept.methods == ("otp", "recovery-code")


def test_each_code_works_once() -> None:
    codes = recovery.new_codes()
    start = recovery.with_codes(Credentials(totp=APP), codes)
    after, found = recovery.used(start, codes[3])
    again, found_again = recovery.used(after, codes[3])
    assert (found, len(after.recovery_codes)) == (True, 9)
    assert (found_again, again) == (False, after)
    assert all(recovery.used(after, code)[1] for code in codes if code != codes[3])


def test_new_codes_replace_the_old_ones() -> None:
    old, new = recovery.new_codes(), recovery.new_codes()
    start = recovery.with_codes(recovery.with_codes(Credentials(totp=APP), old), new)
    assert not recovery.used(start, old[0])[1]
    assert recovery.used(start, new[0])[1]


@pytest.mark.parametrize(
    "typed", ["ABCD-EFGH", "abcdefgh", " abcd efgh ", "A8CD-EFGH".replace("8", "B")]
)
def test_case_blanks_and_hyphens_do_not_matter(typed: str) -> None:
    assert recovery.hashed(typed) == recovery.hashed("abcd-efgh")


def test_what_looks_like_a_letter_of_base32_is_read_as_one() -> None:
    assert recovery.hashed("o1b8-0ooi") == recovery.hashed("oibb-oooi")


@pytest.mark.parametrize("typed", ["", "-", "\ud800", "é"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    start = recovery.with_codes(Credentials(totp=APP), recovery.new_codes())
    assert recovery.used(start, typed) == (start, False)


def test_with_the_last_factor_its_spare_codes_go() -> None:
    start = recovery.with_codes(Credentials(totp=APP), recovery.new_codes())
    assert start.without_totp() == Credentials()
    assert Credentials(recovery_codes=start.recovery_codes).methods == ()
