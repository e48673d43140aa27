"""Pages of the trail, newest first, over a stream that answers forwards only."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.audit import reading
from libs.audit.entry import AuditEntry, RecordedEntry, encode, subject_of
from libs.audit.reading import Span, newest_first
from libs.audit.search import Search
from libs.chassis.jetstream import StoredMessage

NOON = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)


def an_entry(target: str | None = "lead:1", **more: str) -> AuditEntry:
    values = {"action": "lead.read", "actor": "account:a1", "target": target} | more
    return AuditEntry.model_validate(values)


def recorded(**more: str) -> RecordedEntry:
    return RecordedEntry(**dict(an_entry(**more)), id=UUID(int=1), time=NOON)


@dataclass
class Stream:
    """What a stream of these entries, by position, answers; it counts what it hands out."""

    entries: dict[int, AuditEntry]
    search: Search = field(default_factory=Search)
    batch: int = 4
    handed_out: int = 0
    trips: int = 0

    async def fetch(self, first: int) -> list[StoredMessage]:
        found = [
            StoredMessage(subject, position, {}, encode(entry, UUID(int=position), NOON))
            for position, entry in sorted(self.entries.items())
            if position >= first and fnmatchcase(subject := subject_of(entry), self.search.subjects)
        ][: self.batch]
        self.handed_out += len(found)
        self.trips += 1
        return found

    def pages(self, span: Span, limit: int) -> list[list[int]]:
        """The positions on every page, until there is no next one."""
        pages: list[list[int]] = []
        below: int | None = span.last + 1
        while below is not None:
            rest = Span(span.first, below - 1)
            page = asyncio.run(
                newest_first(self.fetch, self.search, rest, limit=limit, batch=self.batch)
            )
            assert page.below is None or page.below < below
            pages.append([entry.position for entry in page.entries])
            below = page.below
        return pages


ENTRIES = st.builds(
    an_entry,
    target=st.sampled_from(["lead:1", "lead:2", None]),
    action=st.sampled_from(["lead.read", "lead.history-read", "leads.listed"]),
    outcome=st.sampled_from(["ok", "refused"]),
)
SEARCHES = st.builds(
    Search,
    action=st.sampled_from([None, "lead", "lead.read"]),
    target=st.sampled_from([None, "lead:1"]),
    outcome=st.sampled_from([None, "refused"]),
)


@given(
    st.dictionaries(st.integers(1, 400), ENTRIES, max_size=120),
    SEARCHES,
    st.integers(1, 9),
    st.integers(0, 30),
)
def test_all_pages_together_are_all_that_match_newest_first_and_none_twice(
    entries: dict[int, AuditEntry], search: Search, limit: int, begins_at: int
) -> None:
    # Positions that are missing stand for entries under other subjects, and those below the
    # beginning for entries that are too old.
    stream = Stream({at: one for at, one in entries.items() if at >= begins_at}, search)
    pages = stream.pages(Span(max(1, begins_at), 400), limit)

    expected = [
        position
        for position, entry in sorted(stream.entries.items(), reverse=True)
        if search.matches(RecordedEntry(**dict(entry), id=UUID(int=1), time=NOON))
    ]
    assert [position for page in pages for position in page] == expected
    assert all(len(page) <= limit for page in pages)
    assert all(len(page) == limit for page in pages[:-1])


def test_an_empty_stream_has_one_empty_page() -> None:
    assert Stream({}).pages(Span(1, 0), 10) == [[]]
    assert Stream({}).pages(Span(8, 7), 10) == [[]]  # all of it was too old


def test_a_rare_entry_far_back_takes_few_round_trips() -> None:
    stream = Stream({5: an_entry()}, batch=256)
    assert stream.pages(Span(1, 1_000_000), 10) == [[5]]
    assert stream.trips <= 10


def test_where_all_match_a_page_costs_little_more_than_it_holds() -> None:
    stream = Stream({position: an_entry() for position in range(1, 2001)}, batch=50)
    asyncio.run(newest_first(stream.fetch, Search(), Span(1, 2000), limit=100, batch=50))
    assert stream.handed_out <= 150


def test_a_crowd_behind_an_empty_stretch_is_found_whole() -> None:
    # The window has grown far beyond a batch when it meets the crowd.
    stream = Stream({position: an_entry() for position in range(1, 101)})
    [page] = stream.pages(Span(1, 100_000), 1000)
    assert page == list(range(100, 0, -1))


def test_one_page_costs_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_LOOKED_AT", 40)
    crowd = {position: an_entry() for position in range(2, 300)}
    stream = Stream(crowd | {1: an_entry(outcome="refused")}, Search(outcome="refused"))

    pages = stream.pages(Span(1, 299), 5)

    assert pages[-1] == [1]
    assert len(pages) > 5
    assert stream.handed_out <= len(pages) * (40 + 2 * stream.batch)


@pytest.mark.parametrize(
    ("search", "subjects"),
    [
        (Search(), "audit.*.*.*.*"),
        (Search(action="sign-in"), "audit.sign-in.*.*.*"),
        (Search(action="lead.read", actor="account:a1"), "audit.lead.read.account:a1.*"),
    ],
)
def test_the_server_sends_only_what_may_match(search: Search, subjects: str) -> None:
    assert search.subjects == subjects


def test_a_search_for_a_target_finds_its_subject() -> None:
    search = Search(action="lead.read", target="lead:1")
    assert fnmatchcase(subject_of(an_entry("lead:1")), search.subjects)


@pytest.mark.parametrize(
    ("search", "matches"),
    [
        (Search(action="lead"), True),
        (Search(action="lea"), False),
        (Search(action="lead.rea"), False),
        (Search(actor="account:a2"), False),
        (Search(target="lead:2"), False),  # another one may have the same shard
        (Search(outcome="failed"), False),
        (Search(after=NOON, until=NOON), True),
        (Search(after=NOON + timedelta(microseconds=1)), False),
        (Search(until=NOON - timedelta(microseconds=1)), False),
    ],
)
def test_what_a_search_means(search: Search, matches: bool) -> None:  # noqa: FBT001
    assert search.matches(recorded()) is matches
