"""What a resume is, by its bytes."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.resume import KINDS, NoResume, ResumeRefused, Upload, judge
from tests.unit.intake.documents import (
    DOC,
    DOCX,
    EVERY_KIND,
    EXE,
    MACRO_MAIN,
    ODT,
    ODT_TYPE,
    PDF,
    PNG,
    RTF,
    SHEET_MAIN,
    TXT,
    content_types,
    docx,
    odt,
    ole,
    zipped,
)


def upload(content: bytes, name: str) -> Upload:
    return Upload(name, io.BytesIO(content), len(content), "00")


def refusal(content: bytes, name: str) -> str:
    with pytest.raises(ResumeRefused) as refused:
        judge(upload(content, name))
    return str(refused.value)


@pytest.mark.parametrize("extension", EVERY_KIND)
def test_each_allowed_kind_is_recognised(extension: str) -> None:
    kind, name = judge(upload(EVERY_KIND[extension], f"My CV.{extension.upper()}"))
    assert extension in kind.extensions
    assert name == f"My CV.{extension.upper()}"


def test_every_kind_has_a_document_in_these_tests() -> None:
    assert {kind.extensions[0] for kind in KINDS} == set(EVERY_KIND)


@pytest.mark.parametrize("extension", EVERY_KIND)
def test_a_name_that_is_empty_or_has_no_extension_gets_the_one_of_the_content(
    extension: str,
) -> None:
    assert judge(upload(EVERY_KIND[extension], ""))[1] == f"resume.{extension}"
    assert judge(upload(EVERY_KIND[extension], "cv"))[1] == f"cv.{extension}"


@pytest.mark.parametrize("named", EVERY_KIND)
@pytest.mark.parametrize("content", EVERY_KIND)
def test_a_name_that_disagrees_with_the_content_is_refused(named: str, content: str) -> None:
    if named == content:
        assert judge(upload(EVERY_KIND[content], f"cv.{named}"))
    else:
        assert f".{named}" in refusal(EVERY_KIND[content], f"cv.{named}")


def test_an_empty_file_is_no_resume() -> None:
    with pytest.raises(NoResume, match="empty"):
        judge(upload(b"", "cv.pdf"))


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (PNG, "cv.png", "picture"),
        (PNG, "cv.pdf", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(50), "cv.jpg", "picture"),
        (EXE, "cv.pdf", "cannot be used"),
        (EXE, "cv.exe", "cannot be used"),
        (PNG + PDF, "cv.pdf", "picture"),
        (b"x" * 2000 + PDF, "cv.pdf", "content is TXT"),
        (b"<!DOCTYPE html><html><script>1</script></html>", "cv.txt", "cannot be used"),
        (b"<html><body>hello</body></html>", "cv.txt", "cannot be used"),
        (TXT + b"\x00", "cv.txt", "cannot be used"),
        (b"\x1b[2J terminal", "cv.txt", "cannot be used"),
        (b"\xff\xfe\x00\xd8a", "cv.txt", "cannot be used"),
        (TXT, "cv.html", "ending in .html"),
        (PDF, "cv.pdf.exe", "ending in .exe"),
        (PDF, "cv." + "x" * 100, "ending in .…"),
    ],
)
def test_what_is_not_allowed_is_refused(content: bytes, name: str, says: str) -> None:
    assert says in refusal(content, name)


def test_a_pdf_may_begin_after_some_text() -> None:
    assert judge(upload(b"\xef\xbb\xbf\r\nmailer\r\n" + PDF, "cv.pdf"))[0].label == "PDF"


@pytest.mark.parametrize(
    "content",
    [
        "Résumé, naïve".encode(),
        "Résumé".encode("cp1252"),
        "﻿Lebenslauf".encode(),
        "履歴書".encode("utf-16"),
        b"\xfe\xff" + "履歴書".encode("utf-16-be"),
        b"From Ada Byron\nName: Ada\r\n\tSubject: law\x0c",
        b"BM is how this text begins",
    ],
)
def test_text_in_its_usual_encodings(content: bytes) -> None:
    assert judge(upload(content, "cv.txt"))[0].label == "TXT"


def test_a_character_across_the_border_of_two_blocks_of_text() -> None:
    content = b"a" * (64 * 1024 - 1) + "é".encode() * 10
    assert judge(upload(content, "cv.txt"))[0].label == "TXT"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (docx(MACRO_MAIN), "macros"),
        (docx(SHEET_MAIN), "not a Word document"),
        (zipped({"[Content_Types].xml": content_types("x")}), "not a Word document"),
        (zipped({"a.txt": b"a"}), "an archive"),
        (odt(ODT_TYPE + "-template"), "an archive"),
        (odt(ODT_TYPE + "\n"), "an archive"),
        (DOCX[:200], "damaged"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
        (b"PK", "damaged"),
        (DOCX.replace(b"PK\x05\x06", b"PK\x05\x05"), "damaged"),
    ],
)
def test_archives_that_are_no_document(content: bytes, says: str) -> None:
    assert says in refusal(content, "cv.docx")


def test_a_document_with_a_macro_part_is_refused() -> None:
    assert "macros" in refusal(docx(more={"word/vbaProject.bin": b"x"}), "cv.docx")


def test_an_encrypted_archive_is_refused() -> None:
    content = bytearray(DOCX)
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    assert "password" in refusal(bytes(content), "cv.docx")


def test_an_unknown_compression_is_refused() -> None:
    content = bytearray(DOCX)
    for signature, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        at = content.index(signature)
        content[at + offset : at + offset + 2] = struct.pack("<H", 97)
    assert "damaged" in refusal(bytes(content), "cv.docx")


def test_a_bomb_of_one_large_part_is_refused_without_unpacking() -> None:
    bomb = docx(more={"word/media/1.png": bytes(50 * 1024 * 1024)})
    assert len(bomb) < 200_000
    assert "unpacks" in refusal(bomb, "cv.docx")


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    content = bytearray(zipped({"[Content_Types].xml": bytes(8 * 1024 * 1024)}))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 300)
    assert refusal(bytes(content), "cv.docx")


def test_an_archive_with_a_huge_directory_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the zip library was let at it")

    many = zipped({f"word/media/{number:060}.png": b"" for number in range(6000)})
    monkeypatch.setattr(zipfile, "ZipFile", never)
    assert "too many parts" in refusal(many, "cv.docx")


def test_a_directory_hidden_behind_zip64_is_refused() -> None:
    end = DOCX.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + bytes(16)
    assert "larger" in refusal(DOCX[:end] + locator + DOCX[end:], "cv.docx")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ole("Workbook"), "not a Word document"),
        (ole("EncryptionInfo", "EncryptedPackage"), "password"),
        (ole("WordDocument", "VBA"), "macros"),
        (DOC[:600], "damaged"),
        (DOC[:8] + bytes(600), "damaged"),
        (DOC[:8], "damaged"),
    ],
)
def test_office_files_that_are_no_word_document(content: bytes, says: str) -> None:
    assert says in refusal(content, "cv.doc")


@given(
    st.sampled_from([DOC, DOCX, ODT, PDF, RTF, PNG]),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=12),
    st.integers(0, 5000),
)
def test_no_damage_makes_an_unexpected_error(
    content: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(content)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    damaged = damaged[: len(damaged) - cut % len(damaged)]
    try:
        told = judge(upload(bytes(damaged), ""))[0].label
    except ResumeRefused as refused:
        told = str(refused)
    assert told in {kind.label for kind in KINDS} or "cannot be used" in told
