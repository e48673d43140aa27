import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads.text import clean_note, email_key, fold


@pytest.mark.parametrize(
    ("one", "other"),
    [("Åsa", "asa"), ("MÜLLER", "muller"), ("Straße", "STRASSE"), ("e\u0301", "É"), ("İ", "i")],
)
def test_case_and_accents_do_not_count(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_an_address_is_found_in_any_case_but_not_without_its_accents() -> None:
    assert email_key(" José@Example.ORG ") == email_key("jose\u0301@example.org")
    assert email_key("josé@example.org") != email_key("jose@example.org")


def test_a_note_keeps_its_lines() -> None:
    assert clean_note(" a\r\nb\rc\n") == "a\nb\nc"


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\x7f", "\x9b", "\ud800"])
def test_a_note_with_a_control_character_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        clean_note(f"a{bad}b")


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_a_note_is_stored_composed(text: str) -> None:
    assert unicodedata.is_normalized("NFC", clean_note(text))


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_folds_as_it_does_beside_an_accent(text: str) -> None:
    assert fold(text) + "e" == fold(text + "é")
    assert email_key(text.rstrip()) + "é" == email_key(text.rstrip() + "É")
