"""File names: kept for people, harmless for machines."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.resume.file_names import (
    MAX_LENGTH,
    clean_file_name,
    extension_of,
    with_extension,
)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Ada Byron: CV (2).pdf", "Ada Byron: CV (2).pdf"),
        ("履歴書.docx", "履歴書.docx"),
        ("/etc/passwd", "passwd"),
        ("../../up.pdf", "up.pdf"),
        ("C:\\Users\\Ada\\cv.doc", "cv.doc"),
        ("a/b\\c.txt", "c.txt"),
        ("cv.pdf/", ""),
        ("..", ""),
        (" . ", ""),
        ("", ""),
        ("cv.pdf. . ", "cv.pdf"),
        ("cv\r\nSet-Cookie: a=b.pdf", "cvSet-Cookie: a=b.pdf"),
        ("resume\u202efdp.exe", "resumefdp.exe"),
        ("cv\x00.pdf", "cv.pdf"),
        ("e\u0301te\u0301.pdf", "été.pdf"),
        ("x" * 300 + ".docx", "x" * 145 + ".docx"),
        ("x" * 300, "x" * 150),
    ],
)
def test_cleaning(sent: str, kept: str) -> None:
    assert clean_file_name(sent) == kept


@given(st.text(max_size=400))
def test_a_cleaned_name_is_never_a_path_and_stays_as_it_is(sent: str) -> None:
    name = clean_file_name(sent)
    assert not set(name) & set("/\\\r\n\0\t")
    assert name not in {".", ".."}
    assert len(name) <= MAX_LENGTH
    assert unicodedata.is_normalized("NFC", name)
    assert clean_file_name(name) == name


@given(st.text(max_size=400), st.sampled_from(["pdf", "docx"]))
def test_a_stored_name_always_has_an_extension(sent: str, extension: str) -> None:
    name = with_extension(clean_file_name(sent), extension)
    assert extension_of(name)
    assert len(name) <= MAX_LENGTH


def test_an_extension_is_what_follows_the_last_dot() -> None:
    assert extension_of("cv.tar.PDF") == "pdf"
    assert extension_of("cv") == ""
    assert extension_of(".pdf") == ""
