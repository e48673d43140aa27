import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads import cursors
from services.leads.cursors import BadCursor, Cursor

QUERY = cursors.fingerprint({"sort": "email", "status": None})


NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.text() | NUMBERS, NUMBERS)
def test_a_cursor_comes_back_as_it_was(value: str | int, position: int) -> None:
    cursor = Cursor(value, position)

    assert cursors.decode(cursors.encode(cursor, QUERY), QUERY, type(value)) == cursor


def test_a_cursor_of_another_filter_or_sort_is_refused() -> None:
    text = cursors.encode(Cursor("a", 1), QUERY)
    other = cursors.fingerprint({"sort": "email", "status": "PENDING"})

    with pytest.raises(BadCursor, match="another filter or sort"):
        cursors.decode(text, other, str)


@pytest.mark.parametrize("text", ["", "?", "é", "AAAA", "bnVsbA", "W10", "WzEsMiwzXQ", "[" * 900])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        cursors.decode(text, QUERY, str)


def test_a_cursor_with_a_value_of_another_kind_is_refused() -> None:
    text = cursors.encode(Cursor(17, 1), QUERY)

    with pytest.raises(BadCursor):
        cursors.decode(text, QUERY, str)


@pytest.mark.parametrize("cursor", [Cursor("a", 2**63), Cursor(-(2**63), 1)])
def test_a_number_that_no_database_takes_is_refused(cursor: Cursor) -> None:
    with pytest.raises(BadCursor):
        cursors.decode(cursors.encode(cursor, QUERY), QUERY, type(cursor.value))


@given(st.text(max_size=60))
def test_no_text_makes_decoding_fail_in_another_way(text: str) -> None:
    try:
        cursors.decode(text, QUERY, str)
    except BadCursor:
        return
    pytest.fail("a made-up text was taken for a cursor")
