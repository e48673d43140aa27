from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from libs.chassis.fields import Instant, Line, Paragraph

instant = TypeAdapter[datetime](Instant)
line = TypeAdapter[str](Line)
paragraph = TypeAdapter[str](Paragraph)


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), ZONES)  # noqa: DTZ001
def test_an_instant_is_the_same_time_in_utc(wall: datetime, zone: timezone) -> None:
    time = wall.replace(tzinfo=zone)
    value = instant.validate_python(time.isoformat())

    assert value == time
    assert value.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["0.5", "1700000000", "2026-01-31", "2026-01-31T09:30:00", "9999-12-31T23:59:59-01:00"]
)
def test_any_other_way_to_write_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        instant.validate_python(text)


@pytest.mark.parametrize("text", ["a\nb", "\x00", "a\tb", "\x85", "a\u2028b", "a\n"])
def test_a_line_has_no_control_characters(text: str) -> None:
    with pytest.raises(ValidationError):
        line.validate_python(text)


def test_a_paragraph_has_line_breaks_and_no_other_control_characters() -> None:
    assert paragraph.validate_python("a\r\n\tb — 😀") == "a\r\n\tb — 😀"
    with pytest.raises(ValidationError):
        paragraph.validate_python("a\x1bb")
