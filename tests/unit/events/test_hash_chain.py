from collections.abc import Iterator
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from libs.events.chain import GENESIS, PREVIOUS, hash_of
from libs.events.verify import Finding, LogCheck

LEAD = UUID("01920000-0000-7000-8000-000000000001")
Stored = tuple[str, dict[str, str], bytes]


def chained(*parts: str) -> list[Stored]:
    """A log of one lead with an event on each of these parts."""
    tips: dict[str, str] = {}
    log: list[Stored] = []
    for number, part in enumerate(parts):
        subject = f"leads.{LEAD}.{part}"
        root = GENESIS if part == "submission" else tips.get("submission", GENESIS)
        headers = {"ce-id": str(number), PREVIOUS: tips.get(part, root)}
        payload = f"event {number}".encode()
        tips[part] = hash_of(subject, headers, payload)
        log.append((subject, headers, payload))
    return log


def check(log: list[tuple[int, Stored]], last: int) -> list[Finding]:
    def findings() -> Iterator[Finding]:
        checker = LogCheck()
        for position, stored in log:
            yield from checker.take(position, *stored)
        yield from checker.end(last)

    return list(findings())


def numbered(log: list[Stored]) -> list[tuple[int, Stored]]:
    return list(enumerate(log, start=1))


WHOLE = chained("submission", "mail", "mail", "handling", "handling", "mail")


def test_a_log_as_written_has_no_finding() -> None:
    assert check(numbered(WHOLE), 6) == []


@given(st.integers(0, 5))
def test_each_missing_event_is_named(gone: int) -> None:
    log = numbered(WHOLE)
    del log[gone]
    assert gone + 1 in {finding.position for finding in check(log, 6)}


@given(st.integers(0, 5), st.binary(max_size=5))
def test_each_changed_event_that_has_a_successor_is_noticed(changed: int, payload: bytes) -> None:
    log = numbered(WHOLE)
    subject, headers, old = WHOLE[changed]
    log[changed] = (changed + 1, (subject, headers, payload))
    followers = {0: {2, 4}, 1: {3}, 2: {6}, 3: {5}, 4: set(), 5: set()}
    found = {finding.position for finding in check(log, 6)}
    assert found == (followers[changed] if payload != old else set())


def test_a_changed_header_is_noticed_and_a_header_of_nats_is_not() -> None:
    log = numbered(WHOLE)
    subject, headers, payload = WHOLE[1]
    log[1] = (2, (subject, headers | {"ce-actor": "account:other"}, payload))
    assert {finding.position for finding in check(log, 6)} == {3}
    log[1] = (2, (subject, headers | {"Nats-Expected-Stream": "LEADS"}, payload))
    assert check(log, 6) == []


def test_an_inserted_event_is_noticed() -> None:
    log = [*WHOLE[:2], (f"leads.{LEAD}.mail", {PREVIOUS: GENESIS}, b"forged"), *WHOLE[2:]]
    assert {finding.position for finding in check(numbered(log), 7)} == {3, 4}


def test_an_event_without_a_hash_and_one_on_a_foreign_subject_are_named() -> None:
    log: list[Stored] = [(f"leads.{LEAD}.mail", {}, b""), ("leads.*.mail", {}, b"")]
    assert [finding.position for finding in check(numbered(log), 2)] == [1, 2]


def test_the_digest_tells_one_log_from_every_other() -> None:
    digests = set()
    for log in (WHOLE, WHOLE[:5], [*WHOLE[:5], WHOLE[4]]):
        checker = LogCheck()
        for position, stored in numbered(log):
            list(checker.take(position, *stored))
        digests.add(checker.digest)
    assert len(digests) == 3
