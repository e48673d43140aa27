import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client

from libs.chassis.nats_client import parse_headers

LINES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.builds(
            lambda name, value: name + b":" + value,
            st.sampled_from([b"ce-id", b" ce-id\t", b"a b", b"\xff", "é".encode(), b"", b"X"]),
            st.one_of(st.binary(max_size=12), st.text(max_size=8).map(str.encode)),
        ),
    )
)


@given(LINES)
@example([b"ce-type: LeadSubmitted", b"ce-type: again", b"no colon", b"a:b:c"])
@example(["name: \u00a0Åsa \u2028".encode(), b"cut: \xe2\x82"])
def test_headers_are_read_as_the_library_reads_them(lines: list[bytes]) -> None:
    block = b"\r\n".join(lines) + b"\r\n\r\n"
    for _ in range(2):  # the second time names are known
        assert parse_headers(block) == Client._parse_header_lines(block)


@pytest.mark.parametrize("block", [b"", b"\r\n\r\n", b":", b":\r\n:"])
def test_a_block_without_a_header_is_empty_or_as_the_library_has_it(block: bytes) -> None:
    assert parse_headers(block) == Client._parse_header_lines(block)
