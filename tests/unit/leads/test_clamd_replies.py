"""What clamd's answers mean, and where it may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.leads.scanning.clamd import Address, parse_address
from services.leads.scanning.replies import (
    ClamdAway,
    Found,
    ScanFailed,
    TooLarge,
    engine_of,
    read_reply,
)
from services.leads.settings import LeadsSettings


@pytest.mark.parametrize(
    ("reply", "signature"),
    [
        (b"stream: OK\0", None),
        (b"stream: Win.Test.EICAR_HDB-1 FOUND\0", "Win.Test.EICAR_HDB-1"),
        (b"stream: Heuristics.Encrypted.PDF FOUND\0rest", "Heuristics.Encrypted.PDF"),
    ],
)
def test_a_result(reply: bytes, signature: str | None) -> None:
    assert read_reply(reply) == Found(signature)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"INSTREAM size limit exceeded. ERROR\0", TooLarge),
        (b"stream: Time limit reached ERROR\0", ScanFailed),
        (b"INSTREAM: Can't write to temporary file. ERROR\0", ClamdAway),
        (b"UNKNOWN COMMAND\0", ClamdAway),
        (b"stream:  FOUND\0", ClamdAway),
        (b"", ClamdAway),
        (b"stream: O", ClamdAway),
    ],
)
def test_a_fault(reply: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_reply(reply)


@given(st.binary(max_size=400))
def test_only_its_own_words_make_a_file_clean(reply: bytes) -> None:
    try:
        found = read_reply(reply)
    except (ClamdAway, ScanFailed, TooLarge):
        return
    assert found.signature is not None or reply.partition(b"\0")[0].strip() == b"stream: OK"


def test_a_version_is_one_short_visible_line() -> None:
    assert engine_of(b"ClamAV 1.4.6/27800/Tue Nov 24\0") == "ClamAV 1.4.6/27800/Tue Nov 24"
    assert engine_of(b"a\x1b[1mb\0") == "a?[1mb"
    assert engine_of(b"\0") is None
    assert len(engine_of(b"x" * 4096) or "") == 200


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://clamav:3310", Address(None, "clamav", 3310)),
        ("tcp://clamav", Address(None, "clamav", 3310)),
        ("tcp://[::1]:99/", Address(None, "::1", 99)),
        ("unix:///run/clamav/clamd.ctl", Address("/run/clamav/clamd.ctl")),
    ],
)
def test_where_clamd_may_be(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert LeadsSettings(clamd=text).clamd == text


@pytest.mark.parametrize(
    "text",
    [
        "clamav:3310",
        "http://clamav",
        "tcp://",
        "tcp://h/x",
        "tcp://u@h",
        "unix://run/x",
        "tcp://h:x",
    ],
)
def test_where_it_may_not_be(text: str) -> None:
    with pytest.raises(ValidationError):
        LeadsSettings(clamd=text)
