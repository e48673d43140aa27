"""What of a letter goes over the wire."""

import pytest
from aiosmtplib.protocol import PERIOD_REGEX, normalize_message_line_endings
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.smtp.commands import on_the_wire


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"..a\r\n", b"...a\r\n.\r\n"),
        (b"a\r\n\r\n.b\r\n", b"a\r\n\r\n..b\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b"a\n.\nb\r.\rc", b"a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n"),
        (b"", b"\r\n.\r\n"),
    ],
)
def test_dots_are_doubled_and_lines_end_with_crlf(content: bytes, sent: bytes) -> None:
    assert on_the_wire(content) == sent


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a"]), max_size=12).map(b"".join))
def test_it_is_what_the_library_would_send(content: bytes) -> None:
    stuffed = PERIOD_REGEX.sub(b"..", normalize_message_line_endings(content))
    assert on_the_wire(content) == stuffed + b".\r\n"


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a"]), max_size=12).map(b"".join))
def test_nothing_in_a_letter_ends_it_early(content: bytes) -> None:
    sent = on_the_wire(content)
    assert sent.find(b"\r\n.\r\n") in {-1, len(sent) - 5}
    assert sent.count(b"\r\n") == sent.count(b"\r") == sent.count(b"\n")
