"""Which passwords are refused: NIST SP 800-63B-4, section 3.1.1.2."""

import unicodedata

import pytest
from argon2 import PasswordHasher

from services.leads.auth.password_rules import MAX_LENGTH, WeakPassword, check_password
from services.leads.auth.passwords import Passwords, generate

LENA = ("lena@firm.example", "Lena Weber")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "four plain lower words",
        "ein sehr langer Satz über Pferde",
        "これは十五文字より長いパスワードです",
        "lena likes green tea and rain",
        "x9$kQ-2vLm8!pR4t",
        pytest.param(generate(), id="generated"),
    ],
)
def test_length_is_enough_whatever_the_characters_are(password: str) -> None:
    check_password(password, LENA)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 15"),
        ("fourteen chars", "at least 15"),
        ("e\u0301" * 14, "at least 15"),
        ("ab cd" * MAX_LENGTH, "at most"),
        ("password1234567", "tried first"),
        ("!!Password!!2026!!", "tried first"),
        ("passwordpassword", "tried first"),
        ("Jennifer-19870401", "tried first"),
        ("aaaaaaaaaaaaaaaa", "tried first"),
        ("abcabcabcabcabcabc", "tried first"),
        ("1234567890123456", "tried first"),
        ("zyxwvutsrqponmlkj", "tried first"),
        ("qwertyuiopasdfgh", "tried first"),
        ("lena@firm.example", "your name"),
        ("LenaWeber-LenaWeber", "your name"),
        ("leadlog-lena-2026", "your name"),
        ("Leadlog Leadlog 1", "your name"),
    ],
)
def test_what_is_tried_first_is_refused(password: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why) as refusal:
        check_password(password, LENA)
    assert not password or password not in str(refusal.value)


def test_nobody_elses_name_is_refused() -> None:
    check_password("lena weber lena weber", ("omar@firm.example", "Omar Haddad"))


async def test_each_way_to_write_a_letter_is_the_same_password() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    composed = "über den wölken so frei"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert await passwords.verify(await passwords.hash(decomposed), composed)
    assert await passwords.verify(await passwords.hash(composed), decomposed)
