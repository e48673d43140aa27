from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import (
    Channel,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    Part,
    ResumeRef,
    Undecodable,
    UnknownEvent,
    event_id,
    new_id,
)
from libs.events.envelope import decode, encode, record
from libs.events.subjects import subject_of

RESUME = ResumeRef(
    object="o", file_name="cv.pdf", media_type="application/pdf", size=3, sha256="00" * 32
)
LEAD = UUID("01920000-0000-7000-8000-000000000001")


def submitted(first_name: str = "Ada", message: str | None = None) -> LeadSubmitted:
    return LeadSubmitted(
        first_name=first_name, last_name="L", email="a@b.example", message=message, resume=RESUME
    )


def new(event: LeadSubmitted | LeadReachedOut) -> NewEvent:
    return NewEvent(
        event=event,
        id=uuid4(),
        time=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        source="/leadlog/test",
        actor="prospect",
        causation_id=uuid4(),
        correlation_id=LEAD,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


@given(st.text(min_size=1), st.text())
def test_what_is_written_is_read_again(first_name: str, message: str) -> None:
    try:
        first_name.encode()
        message.encode()
    except UnicodeEncodeError:
        return  # lone surrogates never get past the edge
    given_event = new(submitted(first_name, message))
    headers, payload = encode(given_event, LEAD)
    then = decode(subject_of(LEAD, Part.SUBMISSION), headers, payload, 7)
    assert then == record(given_event, LEAD, 7)


@given(st.text(min_size=3, max_size=40))
def test_no_personal_data_in_headers(name: str) -> None:
    marked = f"zqx{name}zqx"
    headers, _ = encode(new(submitted("zqxname", marked)), LEAD)
    assert "zqx" not in str(headers)


def test_the_envelope_is_cloudevents() -> None:
    headers, payload = encode(new(LeadReachedOut(channel=Channel.PHONE)), LEAD)
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-type"] == "LeadReachedOut"
    assert headers["ce-dataschema"] == "urn:leadlog:event:LeadReachedOut:1"
    assert headers["ce-id"] == headers["Nats-Msg-Id"]
    assert headers["ce-time"] == "2026-01-02T03:04:05.678901+00:00"
    assert payload == b'{"channel":"phone","note":null}'


def test_a_newer_type_or_version_is_unknown_not_broken() -> None:
    headers, payload = encode(new(submitted()), LEAD)
    subject = subject_of(LEAD, Part.SUBMISSION)
    newer = {**headers, "ce-dataschema": "urn:leadlog:event:LeadSubmitted:99"}
    other = {
        **headers,
        "ce-type": "LeadTeleported",
        "ce-dataschema": "urn:leadlog:event:LeadTeleported:1",
    }
    for changed in (newer, other):
        with pytest.raises(UnknownEvent):
            decode(subject, changed, payload, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"ce-id": "no uuid"},
        {"ce-time": "yesterday"},
        {"ce-time": "2026-01-02T03:04:05"},
        {"ce-dataschema": "urn:leadlog:event:LeadReachedOut:1"},
        {"ce-dataschema": "urn:leadlog:event:LeadSubmitted:x"},
        {"ce-dataschema": "urn:leadlog:event:LeadSubmitted:0"},
        {"ce-dataschema": "urn:leadlog:event:LeadSubmitted:-1"},
    ],
)
def test_a_damaged_envelope_is_undecodable(change: dict[str, str]) -> None:
    headers, payload = encode(new(submitted()), LEAD)
    with pytest.raises(Undecodable):
        decode(subject_of(LEAD, Part.SUBMISSION), headers | change, payload, 1)


@pytest.mark.parametrize("name", ["ce-type", "ce-dataschema", "ce-id", "ce-time"])
def test_a_missing_header_is_named(name: str) -> None:
    headers, payload = encode(new(submitted()), LEAD)
    del headers[name]
    with pytest.raises(Undecodable, match=name):
        decode(subject_of(LEAD, Part.SUBMISSION), headers, payload, 1)


@pytest.mark.parametrize("fault", [KeyError("x"), TypeError("x"), RecursionError("x")])
def test_no_fault_of_a_model_or_an_upcaster_gets_past(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise fault

    monkeypatch.setattr("libs.events.envelope.read_event", broken)
    headers, payload = encode(new(submitted()), LEAD)
    with pytest.raises(Undecodable, match=type(fault).__name__):
        decode(subject_of(LEAD, Part.SUBMISSION), headers, payload, 1)


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"[]", b'{"first_name": 1}'])
def test_a_damaged_payload_is_undecodable_and_leaks_nothing(payload: bytes) -> None:
    headers, _ = encode(new(submitted()), LEAD)
    with pytest.raises(Undecodable) as caught:
        decode(subject_of(LEAD, Part.SUBMISSION), headers, payload, 1)
    assert "first_name" not in str(caught.value)


def test_an_event_on_another_parts_subject_is_undecodable() -> None:
    headers, payload = encode(new(submitted()), LEAD)
    with pytest.raises(Undecodable):
        decode(subject_of(LEAD, Part.MAIL), headers, payload, 1)


def test_a_part_that_only_a_newer_version_knows_is_passed_over() -> None:
    headers, payload = encode(new(submitted()), LEAD)
    with pytest.raises(UnknownEvent):
        decode(f"leads.{LEAD}.billing", headers, payload, 1)
    for subject in (f"leads.{LEAD}.Billing", f"leads.{LEAD}.*", "leads.x.billing"):
        with pytest.raises(Undecodable):
            decode(subject, headers, payload, 1)


def test_no_headers_at_all_is_undecodable() -> None:
    with pytest.raises(Undecodable):
        decode(subject_of(LEAD, Part.MAIL), None, b"{}", 1)


def test_event_ids_repeat_with_the_command_and_lead_ids_are_version_7() -> None:
    command = uuid4()
    assert event_id(command, 0) == event_id(command, 0) != event_id(command, 1)
    first, second = new_id(), new_id()
    assert isinstance(first, UUID)
    assert first.version == second.version == 7
    assert first < second
