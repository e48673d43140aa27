"""The text fields."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.intake.fields import InvalidFields, validate
from services.intake.text import hides_text, is_visible

GOOD = {"first_name": "Ada", "last_name": "Byron", "email": "ada@mail.example.com"}


def errors(**values: str) -> dict[str, str]:
    with pytest.raises(InvalidFields) as invalid:
        validate(GOOD | values)
    return {error.field: error.message for error in invalid.value.errors}


def test_the_least_that_is_needed() -> None:
    contact = validate(GOOD)
    assert contact.model_dump() == GOOD | {"phone": None, "message": None}


def test_everything_that_is_missing_is_named_at_once_in_plain_words() -> None:
    with pytest.raises(InvalidFields) as invalid:
        validate({})
    assert {error.field: error.message for error in invalid.value.errors} == {
        "first_name": "Please enter your first name.",
        "last_name": "Please enter your last name.",
        "email": "Please enter your email address.",
    }


@pytest.mark.parametrize(
    "name",
    [
        "O'Brien-Smith",
        "D\u2019Angelo",
        "Nguyễn",
        "محمد",
        "עדה",
        "山田",
        "श्री\u200dराम",
        "\u0645\u06cc\u200c\u062e\u0648",
        "{{7*7}}",
        "<script>",
        "X Æ A-12",
        "Jr., PhD",
        "é",
        "x" * 100,
    ],
)
def test_names_of_every_script_are_kept(name: str) -> None:
    assert validate(GOOD | {"first_name": f"  {name} "}).first_name == name


def test_names_are_composed() -> None:
    assert validate(GOOD | {"last_name": "Ange\u0301lique"}).last_name == "Angélique"


@pytest.mark.parametrize(
    "character",
    [*"\x00\x07\x1b\x7f\x85\n\r\t\u2028\u2029", *"\u202a\u202b\u202c\u202d\u202e\u2066\u2069"],
)
def test_characters_that_control_or_reorder_are_refused_in_names(character: str) -> None:
    assert "ordinary signs" in errors(last_name=f"By{character}ron")["last_name"]


@pytest.mark.parametrize("name", ["", "   ", "\u200d", "\u200b\u200b", "\u0301"])
def test_a_name_that_shows_nothing_is_missing(name: str) -> None:
    assert errors(first_name=name)["first_name"] == "Please enter your first name."


def test_names_have_a_longest_length() -> None:
    assert "100 characters" in errors(first_name="x" * 101)["first_name"]


@given(st.text(max_size=120))
def test_a_name_is_taken_whole_or_refused(name: str) -> None:
    trimmed = unicodedata.normalize("NFC", name.strip())
    try:
        taken = validate(GOOD | {"last_name": name}).last_name
    except InvalidFields:
        assert any(map(hides_text, trimmed)) or not is_visible(trimmed) or len(trimmed) > 100
    else:
        assert taken == trimmed
        assert not any(map(hides_text, taken))


@given(st.text(min_size=1, max_size=60))
def test_no_message_repeats_what_was_typed(typed: str) -> None:
    marked = f"Zq{typed}Zq"
    try:
        validate({"first_name": marked, "last_name": marked, "email": marked, "phone": marked})
    except InvalidFields as invalid:
        told = [str(invalid), *(error.message for error in invalid.errors)]
    else:
        told = []
    assert not any(marked in message for message in told)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (" ada@Mail.Example.COM ", "ada@mail.example.com"),
        ("Ada.Byron+law@example.com", "Ada.Byron+law@example.com"),
        ("ada@bücher.example.com", "ada@bücher.example.com"),
    ],
)
def test_emails_are_normalised(sent: str, kept: str) -> None:
    assert validate(GOOD | {"email": sent}).email == kept


@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "a b@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@localhost",
        "x" * 65 + "@example.com",
        "a@" + "x." * 150 + "com",
    ],
)
def test_addresses_that_are_none_are_refused(email: str) -> None:
    assert set(errors(email=email)) == {"email"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", None),
        ("  ", None),
        ("+44 (0)20 7946-0018", "+44 (0)20 7946-0018"),
        ("555.123.4567 ext. 12", "555.123.4567 ext. 12"),
        ("555 1234 x9", "555 1234 x9"),
        ("030/123456", "030/123456"),
        ("٠٣٠١٢٣", "030123"),
        ("+4930", "+4930"),
    ],
)
def test_phone_numbers(sent: str, kept: str | None) -> None:
    assert validate(GOOD | {"phone": sent}).phone == kept


@pytest.mark.parametrize("phone", ["call me", "12", "+1 555;drop", "1" * 41, "555\n1234", "-----"])
def test_phone_numbers_that_are_none(phone: str) -> None:
    assert set(errors(phone=phone)) == {"phone"}


@given(st.text(max_size=40))
def test_a_phone_number_is_taken_or_refused_and_nothing_else(phone: str) -> None:
    assume(phone.strip())
    try:
        taken = validate(GOOD | {"phone": phone}).phone
    except InvalidFields as invalid:
        refused = [error.field for error in invalid.errors]
    else:
        refused = ["phone"] if taken is None or not taken.isascii() else []
    assert refused in ([], ["phone"])


def test_a_message_keeps_its_lines() -> None:
    contact = validate(GOOD | {"message": "Dear all,\r\n\r\nhello\rworld\tand\n"})
    assert contact.message == "Dear all,\n\nhello\nworld\tand"


@pytest.mark.parametrize("message", ["", "   ", "\r\n"])
def test_an_empty_message_is_none(message: str) -> None:
    assert validate(GOOD | {"message": message}).message is None


def test_a_message_is_bounded_and_has_no_controls() -> None:
    assert validate(GOOD | {"message": "x" * 5000}).message == "x" * 5000
    assert "5000" in errors(message="x" * 5001)["message"]
    assert "cannot be shown" in errors(message="a\x00b")["message"]
