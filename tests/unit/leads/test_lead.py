"""Given these facts, when an attorney says so, then these facts follow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.events import (
    Channel,
    Event,
    LeadErased,
    NewEvent,
    NotificationFailed,
    NotificationSent,
    Verdict,
    event_id,
)
from services.leads.lead import (
    Assign,
    AssignedOtherwise,
    Command,
    LeadIsErased,
    LeadState,
    LeadUnknown,
    MarkReachedOut,
    ReleaseResume,
    Status,
    decide,
    evolve,
    state_of,
)
from tests.unit.leads.builders import (
    START,
    assigned,
    new,
    reached_out,
    released,
    resume_scanned,
    submitted,
)

MARK = MarkReachedOut(
    command_id=uuid4(), actor="account:a1", at=START, channel=Channel.PHONE, note="Call back Monday"
)


def when(given_facts: Sequence[NewEvent], command: Command) -> list[NewEvent]:
    return decide(state_of(given_facts), command)


def test_a_pending_lead_becomes_reached_out() -> None:
    facts = when([new(submitted())], MARK)

    assert [fact.event for fact in facts] == [
        reached_out(channel=Channel.PHONE, note="Call back Monday")
    ]
    assert [(fact.id, fact.time, fact.actor) for fact in facts] == [
        (event_id(MARK.command_id, 0), START, "account:a1")
    ]


def test_a_lead_that_was_reached_out_to_needs_nothing_more() -> None:
    assert when([new(submitted()), new(reached_out())], MARK) == []


def test_a_lead_nobody_submitted_is_refused() -> None:
    with pytest.raises(LeadUnknown):
        when([], MARK)


def test_the_state_says_who_reached_out_when_and_how() -> None:
    facts = [new(submitted()), *when([new(submitted())], MARK)]

    assert state_of(facts) == LeadState(
        status=Status.REACHED_OUT,
        reached_out_by="account:a1",
        reached_out_at=START,
        channel=Channel.PHONE,
        note="Call back Monday",
    )


def test_the_first_to_reach_out_stays_on_record() -> None:
    second = new(reached_out(note="second"), actor="account:b2", at=START + timedelta(days=1))
    facts = [new(submitted()), new(reached_out(note="first")), second]

    assert state_of(facts).note == "first"
    assert state_of(facts).reached_out_by == "account:a1"


def assign(assignee: str | None, *instead_of: str | None) -> Assign:
    return Assign(uuid4(), "account:boss", START, assignee, frozenset(instead_of))


def test_a_lead_is_given_and_taken_away() -> None:
    facts = [new(submitted())]
    for assignee in ("a1", "b2", None):
        command = assign(assignee)
        followed = when(facts, command)
        assert [(fact.event, fact.actor, fact.id) for fact in followed] == [
            (assigned(assignee), "account:boss", event_id(command.command_id, 0))
        ]
        facts += followed
        assert state_of(facts).assigned_to == assignee
        assert when(facts, assign(assignee)) == []
        assert when(facts, assign(assignee, "somebody else")) == []


def test_a_lead_that_is_somebody_elses_by_now_is_left_alone() -> None:
    facts = [new(submitted()), new(assigned("a1"))]
    for instead_of in (["b2"], [None], ["b2", None]):
        with pytest.raises(AssignedOtherwise):
            when(facts, assign("c3", *instead_of))
    assert when(facts, assign("c3", "a1", None)) != []


def test_only_a_lead_that_is_there_can_be_assigned() -> None:
    with pytest.raises(LeadUnknown):
        when([], assign("a1"))


def test_whose_it_is_and_how_it_stands_are_apart() -> None:
    facts = [new(submitted()), new(assigned("a1")), new(reached_out(note="spoke"))]
    swapped = [facts[0], facts[2], facts[1]]

    assert state_of(facts) == state_of(swapped)
    assert (state_of(facts).assigned_to, state_of(facts).note) == ("a1", "spoke")


RELEASE = ReleaseResume(uuid4(), "account:boss", START, "false alarm")


@pytest.mark.parametrize("held", [[], [new(resume_scanned())]])
def test_a_resume_that_is_held_back_is_released_once(held: list[NewEvent]) -> None:
    facts = [new(submitted()), *held]
    followed = when(facts, RELEASE)

    assert [(fact.event, fact.actor) for fact in followed] == [(released(), "account:boss")]
    assert state_of([*facts, *followed]).released
    assert when([*facts, *followed], RELEASE) == []


@pytest.mark.parametrize("verdict", [Verdict.CLEAN, Verdict.UNSCANNABLE])
def test_a_resume_that_is_not_held_back_needs_no_release(verdict: Verdict) -> None:
    assert when([new(submitted()), new(resume_scanned(verdict))], RELEASE) == []


def test_a_scan_after_the_release_counts() -> None:
    facts = [new(submitted()), new(released()), new(resume_scanned())]

    assert state_of(facts).verdict is Verdict.INFECTED
    assert not state_of(facts).released
    assert [fact.event for fact in when(facts, RELEASE)] == [released()]


def test_what_a_scan_finds_leaves_the_lead_as_it_is() -> None:
    facts = [new(submitted()), new(resume_scanned())]

    assert state_of(facts).status is Status.PENDING
    assert [fact.event for fact in when(facts, MARK)] != []


any_event: st.SearchStrategy[Event] = st.one_of(
    st.just(submitted()),
    st.builds(
        reached_out,
        channel=st.none() | st.sampled_from(Channel),
        note=st.none() | st.text(max_size=20),
    ),
    st.builds(assigned, st.none() | st.sampled_from(["a1", "b2"])),
    st.builds(resume_scanned, st.sampled_from(Verdict)),
    st.just(released()),
    st.just(
        NotificationSent(
            template="t", recipient_role="prospect", recipient="p@example.org", message_id="m"
        )
    ),
    st.just(
        NotificationFailed(
            template="t",
            recipient_role="attorney",
            recipient="a@example.org",
            reason="no such user",
            attempts=1,
        )
    ),
)
facts_in_any_order = st.lists(
    st.builds(
        new,
        any_event,
        actor=st.text(max_size=10),
        at=st.datetimes().map(lambda moment: moment.replace(tzinfo=START.tzinfo)),
    ),
    max_size=12,
).flatmap(lambda facts: st.lists(st.sampled_from(facts), max_size=20) if facts else st.just([]))

RANK = {None: 0, Status.PENDING: 1, Status.REACHED_OUT: 2}


@given(facts_in_any_order)
def test_a_status_never_goes_back_whatever_the_order(facts: list[NewEvent]) -> None:
    state = LeadState()
    for fact in facts:
        after = evolve(state, fact)
        assert RANK[after.status] >= RANK[state.status]
        state = after


@given(facts_in_any_order)
def test_a_fact_that_comes_twice_changes_nothing(facts: list[NewEvent]) -> None:
    twice = [copy for fact in facts for copy in (fact, fact)]

    assert state_of(twice) == state_of(facts)
    assert state_of([*facts, *facts]).status == state_of(facts).status


@given(facts_in_any_order, st.uuids(), st.sampled_from(Channel), st.text(max_size=50))
@settings(max_examples=200)
def test_a_command_is_satisfied_by_its_own_facts(
    facts: list[NewEvent], command_id: object, channel: Channel, note: str
) -> None:
    command = replace(MARK, command_id=command_id, channel=channel, note=note)  # type: ignore[arg-type]
    known = [new(submitted()), *facts]
    followed = when(known, command)

    assert when([*known, *followed], command) == []
    assert state_of([*known, *followed]).status is Status.REACHED_OUT


def test_of_an_erased_lead_nothing_is_known_and_nothing_can_be_done() -> None:
    stone = new(LeadErased(reason="request", erased=()))
    facts = [new(submitted()), new(assigned()), stone, new(submitted()), new(reached_out())]
    assert state_of(facts) == LeadState(erased=True)
    assign = Assign(command_id=uuid4(), actor="account:a1", at=START, assignee="a2")
    for command in (MARK, assign, RELEASE):
        with pytest.raises(LeadIsErased):
            when([stone], command)
