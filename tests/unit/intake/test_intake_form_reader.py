"""The multipart reader: the same form however the network cuts it, and never more memory."""

import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.fields import InvalidFields
from services.intake.form import Form, texts, the_upload
from services.intake.form_reader import (
    BrokenForm,
    FormReader,
    FormTooLarge,
    WrongContentType,
    boundary_of,
)
from services.intake.limits import FormLimits
from services.intake.resume import NoResume, ResumeTooLarge
from tests.unit.intake.documents import PDF
from tests.unit.intake.forms import (
    BOUNDARY,
    CONTENT_TYPE,
    body,
    fields,
    file_part,
    text_part,
    whole,
)

LIMITS = FormLimits()
TRICKY = b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n\r\r\n--" + PDF


def read(content: bytes, pieces: list[int] | None = None, limits: FormLimits = LIMITS) -> Form:
    form = Form()
    reader = FormReader(form, BOUNDARY, limits)
    start = 0
    for end in [*(pieces or []), len(content)]:
        reader.feed(content[start:end])
        start = end
    reader.finish()
    return form


def content_of(form: Form) -> bytes:
    upload = the_upload(form)
    upload.file.seek(0)
    return upload.file.read()


def test_a_form_byte_by_byte() -> None:
    sent = whole(TRICKY, "Ünï.pdf", message="line\r\nline")
    with read(sent, list(range(1, len(sent)))) as form:
        assert content_of(form) == TRICKY
        upload = the_upload(form)
        assert (upload.size, upload.file_name) == (len(TRICKY), "Ünï.pdf")
        assert upload.sha256 == hashlib.sha256(TRICKY).hexdigest()
        assert form.text()["message"] == "line\r\nline"


@given(st.data(), st.binary(max_size=3000))
def test_the_same_form_however_it_is_cut(data: st.DataObject, content: bytes) -> None:
    sent = whole(content)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=20))
    with read(sent, sorted(cuts)) as form:
        assert content_of(form) == content
        assert form.text() == {
            "first_name": "Ada",
            "last_name": "Byron",
            "email": "ada@mail.example.com",
        }


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=5))
def test_noise_is_a_broken_form_and_nothing_worse(noise: bytes, cuts: list[int]) -> None:
    with pytest.raises(BrokenForm):
        read(noise, sorted(min(cut, len(noise)) for cut in cuts))


@pytest.mark.parametrize("missing", [1, 2, 4, 10, 100])
def test_a_form_that_ends_early_is_broken(missing: int) -> None:
    sent = whole().removesuffix(b"\r\n")
    with pytest.raises(BrokenForm):
        read(sent[:-missing])


def test_a_resume_is_refused_at_the_first_byte_too_many() -> None:
    limits = FormLimits(resume_bytes=1000)
    with read(whole(bytes(1000)), limits=limits) as form:
        assert the_upload(form).size == 1000
    reader = FormReader(Form(), BOUNDARY, limits)
    head, _, _ = whole(bytes(1001)).partition(bytes(1001))
    reader.feed(head + bytes(1000))
    with pytest.raises(ResumeTooLarge):
        reader.feed(bytes(1) + b"\r\n--" + BOUNDARY.encode() + b"--")


def test_memory_does_not_grow_with_the_file() -> None:
    form = Form()
    reader = FormReader(form, BOUNDARY, LIMITS)
    head, _, end = whole(b"@@").partition(b"@@")
    reader.feed(head)
    piece = bytes(64 * 1024)
    tracemalloc.start()
    for _ in range(9 * 16):
        reader.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    reader.feed(end)
    with form:
        assert the_upload(form).size == 9 * 1024 * 1024
    assert peak < 2 * 1024 * 1024


def test_memory_does_not_grow_with_a_field() -> None:
    form = Form()
    reader = FormReader(form, BOUNDARY, FormLimits(field_bytes=100))
    reader.feed(b"--" + BOUNDARY.encode() + b"\r\n" + text_part("message", b"x" * 50_000))
    reader.feed(b"\r\n--" + BOUNDARY.encode() + b"--")
    reader.finish()
    assert form.text() == {"message": "x" * 101}


@pytest.mark.parametrize("sent", ["é".encode() * 60, b"\xff" * 200])
def test_a_field_cut_inside_a_character_is_still_text_and_too_long(sent: bytes) -> None:
    form = read(body(text_part("message", sent)), limits=FormLimits(field_bytes=100))
    assert len(texts(form, {"message": "message"})["message"]) > 50


def test_the_rest_of_a_form_is_bounded() -> None:
    limits = FormLimits(resume_bytes=1000)
    with pytest.raises(FormTooLarge):
        read(whole(message="x" * 300_000), limits=limits)
    with pytest.raises(FormTooLarge):
        read(whole() + bytes(300_000), limits=limits)


def test_parts_and_headers_are_bounded() -> None:
    with pytest.raises(FormTooLarge):
        read(body(*(text_part(f"f{number}", b"") for number in range(41))))
    with pytest.raises(FormTooLarge):
        read(body(text_part("f" * 5000, b"")))
    with pytest.raises(FormTooLarge):
        read(body(b"X-A: 1\r\n" * 9 + text_part("f", b"")))


@pytest.mark.parametrize(
    "part",
    [
        b"no headers",
        b"\r\nno headers",
        b"Content-Disposition: attachment\r\n\r\nx",
        b"\xff: x\r\n\r\n",
    ],
)
def test_parts_without_their_headers_are_broken(part: bytes) -> None:
    with pytest.raises(BrokenForm):
        read(body(part))


@pytest.mark.parametrize("name", ["first_name", "email", "message", "idempotency_key"])
def test_a_field_sent_twice_is_refused(name: str) -> None:
    form = read(body(text_part(name, b"a"), text_part(name, b"a")))
    with pytest.raises(InvalidFields) as invalid:
        texts(form, {name: "thing"})
    assert [error.field for error in invalid.value.errors] == [name]


def test_a_field_that_is_not_utf8_is_refused_and_can_still_be_shown() -> None:
    form = read(body(text_part("last_name", b"M\xfcller")))
    with pytest.raises(InvalidFields, match="last_name"):
        texts(form, {"last_name": "last name"})
    assert form.text() == {"last_name": "M�ller"}


def test_fields_that_are_not_known_are_read_over() -> None:
    form = read(body(*fields(), text_part("submit", b"Send"), text_part("submit", b"Send")))
    assert texts(form, {"email": "email"}) == {"email": "ada@mail.example.com"}


@pytest.mark.parametrize(
    "parts",
    [
        [file_part(), file_part()],
        [file_part(), file_part(name="photo")],
        [file_part(name="photo"), file_part()],
        [file_part(name="photo")],
    ],
)
def test_more_files_than_the_resume_are_refused(parts: list[bytes]) -> None:
    with read(body(*parts)) as form, pytest.raises(NoResume, match="exactly one file"):
        the_upload(form)


def test_a_file_field_in_which_nothing_was_chosen_counts_as_none() -> None:
    nothing = file_part(b"", "")
    with pytest.raises(NoResume, match="choose your resume"):
        the_upload(read(body(*fields(), nothing)))
    with pytest.raises(NoResume, match="choose your resume"):
        the_upload(read(body(*fields())))
    with read(body(file_part(), file_part(b"", "", name="photo"))) as form:
        assert content_of(form) == PDF


def test_a_resume_without_a_file_name_is_taken() -> None:
    with read(body(text_part("resume", PDF))) as form:
        assert content_of(form) == PDF
        assert the_upload(form).file_name == ""


def test_a_closed_form_has_closed_its_file() -> None:
    form = read(whole())
    form.close()
    form.close()
    assert the_upload(form).file.closed


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=" + "x" * 300,
        'multipart/form-data; boundary="ü"',
    ],
)
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(WrongContentType):
        boundary_of(content_type)


def test_the_boundary_is_found() -> None:
    assert boundary_of(CONTENT_TYPE) == BOUNDARY
    assert boundary_of('Multipart/Form-Data; charset=utf-8; boundary="a b"') == "a b"
