"""Given a submission and what clamd does, when it is handled, then this stands in the log."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import structlog

from libs.events import (
    Event,
    LeadErased,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    Part,
    RecordedEvent,
    ResumeRef,
    ResumeScanned,
    RetryLater,
    Verdict,
    new_id,
)
from libs.events.memory import MemoryEventStore
from libs.resumes.memory import MemoryResumeStore
from services.leads.scanning.pause import Pause
from services.leads.scanning.replies import ClamdAway, Found, ScanFailed, TooLarge
from services.leads.scanning.results import scan_id_of
from services.leads.scanning.scanner import TRIES, Scanner
from tests.unit.leads.builders import new, released, submitted

ENGINE = "ClamAV 1.4.6/1/Tue"
BAD = b"this is bad"


@dataclass
class FakeEngine:
    """Finds what begins with `this is bad`; or raises what it is told to."""

    fault: Exception | None = None
    away: bool = False
    asked: int = 0
    scans: int = 0

    async def version(self) -> str | None:
        self.asked += 1
        if self.away:
            raise ClamdAway("ConnectionRefusedError")
        return ENGINE

    async def scan(self, pieces: AsyncIterator[bytes]) -> Found:
        self.scans += 1
        content = b"".join([piece async for piece in pieces])
        if self.fault is not None:
            raise self.fault
        return Found("Bad.Thing" if content.startswith(BAD) else None)


@dataclass
class World:
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    resumes: MemoryResumeStore = field(default_factory=MemoryResumeStore)
    engine: FakeEngine = field(default_factory=FakeEngine)
    told: list[object] = field(default_factory=list)
    seconds: float = 0.0

    def scanner(self) -> Scanner:
        pause = Pause(lambda: self.seconds)
        return Scanner(self.store, self.resumes, self.engine, self, pause=pause)

    def scanned(self, verdict: Verdict) -> None:
        self.told.append(verdict)

    def away(self, *, is_away: bool) -> None:
        if is_away:
            self.told.append("away")

    async def submission(self, content: bytes = b"fine", *, sha256: str = "") -> RecordedEvent:
        lead_id, digest = new_id(), sha256 or hashlib.sha256(content).hexdigest()
        name = await self.resumes.put(lead_id, [content], size=len(content), sha256=digest)
        ref = ResumeRef(
            object=name, file_name="cv", media_type="text/plain", size=len(content), sha256=digest
        )
        return await self.happened(lead_id, submitted().model_copy(update={"resume": ref}))

    async def happened(self, lead_id: UUID, event: Event) -> RecordedEvent:
        fact: NewEvent = new(event)
        history = await self.store.load(lead_id)
        await self.store.append(lead_id, event.part, [fact], expected=history.last(event.part))
        return (await self.store.load(lead_id)).events[-1]

    async def facts(self, lead_id: UUID) -> list[RecordedEvent]:
        events = (await self.store.load(lead_id)).events
        return [fact for fact in events if fact.part is Part.RESUME]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"fine", ResumeScanned(verdict=Verdict.CLEAN, engine=ENGINE)),
        (BAD, ResumeScanned(verdict=Verdict.INFECTED, signature="Bad.Thing", engine=ENGINE)),
    ],
)
async def test_what_was_found_is_a_fact(
    world: World, content: bytes, expected: ResumeScanned
) -> None:
    submission = await world.submission(content)
    await world.scanner().handle(submission, 1)

    [fact] = await world.facts(submission.lead_id)
    assert fact.event == expected
    assert (fact.id, fact.actor) == (scan_id_of(submission), "service:leads")
    assert (fact.causation_id, fact.correlation_id) == (submission.id, submission.lead_id)
    assert world.told == [expected.verdict]


async def test_what_comes_twice_is_scanned_once(world: World) -> None:
    submission = await world.submission(BAD)
    for scanner in (world.scanner(), world.scanner()):
        await scanner.handle(submission, 1)

    assert len(await world.facts(submission.lead_id)) == 1
    assert world.engine.scans == 1


async def test_of_two_at_once_one_result_stands(world: World) -> None:
    submission = await world.submission(BAD)

    class Slower(FakeEngine):
        async def scan(self, pieces: AsyncIterator[bytes]) -> Found:
            await world.scanner().handle(submission, 1)  # the other replica, meanwhile
            return await super().scan(pieces)

    scanner = Scanner(world.store, world.resumes, Slower(), world)
    await scanner.handle(submission, 1)

    assert len(await world.facts(submission.lead_id)) == 1
    assert world.told == [Verdict.INFECTED]


async def test_a_release_that_came_first_does_not_stop_the_result(world: World) -> None:
    submission = await world.submission(BAD)
    await world.happened(submission.lead_id, released())
    await world.scanner().handle(submission, 1)

    assert [fact.event.type for fact in await world.facts(submission.lead_id)] == [
        "ResumeReleased",
        "ResumeScanned",
    ]


async def test_while_clamd_is_away_nothing_is_written_and_nothing_given_up(world: World) -> None:
    submission, scanner = await world.submission(BAD), world.scanner()
    world.engine.away = True
    for attempt in range(1, 20):
        with pytest.raises(RetryLater):
            await scanner.handle(submission, attempt)
        world.seconds += 60
    assert await world.facts(submission.lead_id) == []

    world.engine.away = False
    await scanner.handle(submission, 20)
    [fact] = await world.facts(submission.lead_id)
    assert isinstance(fact.event, ResumeScanned)
    assert fact.event.verdict is Verdict.INFECTED


async def test_a_clamd_that_only_says_its_version_is_away_as_well(world: World) -> None:
    submission, scanner = await world.submission(BAD), world.scanner()
    world.engine.fault = ClamdAway("it answered with an error of its own")
    with structlog.testing.capture_logs() as logs:
        for attempt in range(1, 6):
            with pytest.raises(RetryLater):
                await scanner.handle(submission, attempt)
            world.seconds += 60
        assert [one["log_level"] for one in logs] == ["warning"]
        world.engine.fault = None
        await scanner.handle(submission, 6)
    assert [one["event"] for one in logs[1:]] == ["clamd is back", "a resume is infected"]
    assert world.told == ["away"] * 5 + [Verdict.INFECTED]


async def test_a_file_over_clamds_limit_is_unscannable_at_once(world: World) -> None:
    submission = await world.submission()
    world.engine.fault = TooLarge()
    await world.scanner().handle(submission, 1)

    [fact] = await world.facts(submission.lead_id)
    assert fact.event == ResumeScanned(
        verdict=Verdict.UNSCANNABLE, reason="too-large", engine=ENGINE
    )


@pytest.mark.parametrize("reason", ["missing", "damaged", "failed"])
async def test_what_stays_impossible_is_unscannable_in_the_end(world: World, reason: str) -> None:
    submission = await world.submission(sha256="0" * 64 if reason == "damaged" else "")
    assert isinstance(submission.event, LeadSubmitted)
    if reason == "missing":
        await world.resumes.delete(submission.event.resume.object)
    if reason == "failed":
        world.engine.fault = ScanFailed()
    scanner = world.scanner()
    for attempt in range(1, TRIES):
        with pytest.raises(RetryLater):
            await scanner.handle(submission, attempt)
    assert await world.facts(submission.lead_id) == []

    await scanner.handle(submission, TRIES)
    [fact] = await world.facts(submission.lead_id)
    assert isinstance(fact.event, ResumeScanned)
    assert (fact.event.verdict, fact.event.reason) == (Verdict.UNSCANNABLE, reason)


async def test_a_fault_of_ours_is_no_result_and_comes_again(world: World) -> None:
    submission = await world.submission()
    world.engine.fault = KeyError("a bug")
    with pytest.raises(RetryLater):
        await world.scanner().handle(submission, 1)
    assert await world.facts(submission.lead_id) == []


async def test_of_an_erased_lead_nothing_is_scanned_or_written(world: World) -> None:
    early, late = await world.submission(), await world.submission()
    await world.happened(early.lead_id, LeadErased(reason="request", erased=()))
    await world.scanner().handle(early, 1)
    assert world.engine.scans == 0

    class Erasing(FakeEngine):
        async def scan(self, pieces: AsyncIterator[bytes]) -> Found:
            await world.happened(late.lead_id, LeadErased(reason="request", erased=()))
            return await super().scan(pieces)

    await Scanner(world.store, world.resumes, Erasing(), world).handle(late, 1)
    assert await world.facts(early.lead_id) == await world.facts(late.lead_id) == []


async def test_other_facts_need_no_scan(world: World) -> None:
    submission = await world.submission()
    other = await world.happened(submission.lead_id, LeadReachedOut())
    await world.scanner().handle(other, 1)
    assert world.engine.asked == 0


def test_clamd_is_asked_less_and_less_while_it_is_away() -> None:
    now = [0.0]
    pause = Pause(lambda: now[0])
    spans = []
    for _ in range(7):
        spans.append(pause.begin("OSError"))
        assert pause.begin("OSError") == spans[-1]  # others that failed in the same moment
        now[0] += spans[-1]
    assert spans == [0.5, 1, 2, 4, 8, 15, 15]
    assert pause.is_away
    pause.end()
    assert (pause.is_away, pause.left, pause.begin("OSError")) == (False, 0, 0.5)
