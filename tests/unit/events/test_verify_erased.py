"""Erased events: the log that says so is whole, and one that does not is not."""

from uuid import UUID

from libs.events.chain import hash_of
from libs.events.model import ErasedEvent
from libs.events.verify import Erased, Finding, LogCheck
from tests.unit.events.test_hash_chain import LEAD, WHOLE, Stored, numbered


def named(*positions: int) -> Erased:
    """What a LeadErased would say of these events of the log."""
    found: Erased = {}
    for position in positions:
        subject, headers, payload = WHOLE[position - 1]
        part = subject.rsplit(".", 1)[1]
        found[position] = (
            LEAD,
            ErasedEvent(position=position, part=part, hash=hash_of(subject, headers, payload)),
        )
    return found


def check(log: list[tuple[int, Stored]], erased: Erased) -> tuple[list[Finding], LogCheck]:
    checker = LogCheck(erased)
    findings: list[Finding] = []
    for position, stored in log:
        findings += checker.take(position, *stored)
    return [*findings, *checker.end(6)], checker


def without(*positions: int) -> list[tuple[int, Stored]]:
    return [(position, stored) for position, stored in numbered(WHOLE) if position not in positions]


def test_erased_events_may_be_missing_and_what_follows_them_still_hangs_on_them() -> None:
    findings, checker = check(without(1, 2, 4, 6), named(1, 2, 4, 6))
    assert findings == []
    assert (checker.erased_events, checker.unfinished, checker.leads) == (4, 0, 1)


def test_the_digest_stays_what_it_was() -> None:
    _, before = check(numbered(WHOLE), {})
    _, after = check(without(1, 3, 6), named(1, 3, 6))
    assert after.digest == before.digest


def test_an_event_that_is_missing_without_being_named_is_a_finding() -> None:
    findings, _ = check(without(1, 2), named(1))
    assert 2 in {finding.position for finding in findings}


def test_a_successor_that_was_changed_does_not_hang_on_what_was_erased() -> None:
    lied = named(2)
    lead, one = lied[2]
    lied[2] = (lead, one.model_copy(update={"hash": "f" * 64}))
    findings, _ = check(without(2), lied)
    assert [finding.position for finding in findings] == [3]


def test_what_is_named_and_still_there_is_counted_and_no_finding() -> None:
    findings, checker = check(numbered(WHOLE), named(1, 2))
    assert (findings, checker.unfinished) == ([], 2)


def test_another_event_at_a_place_that_was_to_be_erased_is_a_finding() -> None:
    erased = {4: (UUID(int=9), named(4)[4][1])}
    findings, _ = check(numbered(WHOLE), erased)
    assert [finding.position for finding in findings] == [4]
