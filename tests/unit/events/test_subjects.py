from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.dead_letters import dead_subject
from libs.events.subjects import (
    InvalidSubject,
    Part,
    filters_of,
    parse_subject,
    subject_of,
    subject_of_lead,
)

LEAD = "01920000-0000-7000-8000-000000000001"


@given(st.uuids(), st.sampled_from(Part))
def test_a_subject_is_taken_apart_as_it_was_made(lead_id: object, part: Part) -> None:
    assert parse_subject(f"leads.{lead_id}.{part}") == (lead_id, part)


@given(st.text())
def test_only_canonical_subjects_are_accepted(text: str) -> None:
    try:
        lead_id, part = parse_subject(text)
    except InvalidSubject:
        return
    assert subject_of(lead_id, part) == text


@pytest.mark.parametrize(
    "subject",
    ["", "leads", "leads.*.submission", "leads.>", f"leads.{LEAD}.other", f"x.{LEAD}.mail"],
)
def test_other_subjects_are_refused(subject: str) -> None:
    with pytest.raises(InvalidSubject):
        parse_subject(subject)


def test_upper_case_ids_and_longer_subjects_are_refused() -> None:
    lead_id = uuid4()
    for subject in (f"leads.{str(lead_id).upper()}.mail", f"leads.{lead_id}.mail.x"):
        with pytest.raises(InvalidSubject):
            parse_subject(subject)


def test_filters_name_each_part_and_none_means_all() -> None:
    assert filters_of({Part.MAIL, Part.HANDLING}) == ["leads.*.handling", "leads.*.mail"]
    assert filters_of(None) == ["leads.*.*"]
    lead_id = uuid4()
    assert subject_of_lead(lead_id) == f"leads.{lead_id}.*"


@given(st.text())
def test_a_dead_letters_subject_never_holds_a_wildcard_or_a_further_token(text: str) -> None:
    try:
        subject = dead_subject("notifier", text)
    except ValueError:
        return
    assert subject.count(".") == 2
    assert not set(subject) & set("*> \r\n\t")
