"""Recording: one lead for one key, nothing half-done."""

import asyncio
import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import LeadSubmitted, NewEvent, RecordedEvent, StoreUnavailable
from libs.events.submissions import Submitted
from services.intake.fields import ContactDetails
from services.intake.idempotency import Claim, InvalidKey, KeyReused, check_key, claim, new_claim
from services.intake.recorder import Recorder
from services.intake.resume import Upload
from services.intake.resume.kinds import PDF as PDF_KIND
from services.intake.submission import Submission
from tests.unit.intake.documents import PDF
from tests.unit.intake.fakes import FaultyEventStore, MemoryClaims, TrackedResumes

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def submission(first_name: str = "Ada", content: bytes = PDF) -> Submission:
    contact = ContactDetails(first_name=first_name, last_name="Byron", email="ada@example.com")
    sha256 = hashlib.sha256(content).hexdigest()
    upload = Upload("cv.pdf", io.BytesIO(content), len(content), sha256)
    return Submission(contact, upload, PDF_KIND, "cv.pdf")


async def never(_claim: Claim) -> bool:
    return False


class Desk:
    """A recorder and all it writes to."""

    def __init__(self) -> None:
        self.store, self.resumes, self.claims = FaultyEventStore(), TrackedResumes(), MemoryClaims()
        self.now = NOW
        self.recorder = Recorder(self.store, self.resumes, self.claims, lambda: self.now)

    async def events(self) -> list[RecordedEvent]:
        async for batch in self.store.catch_up(after=0):
            return list(batch.events)
        return []

    async def objects_of_events(self) -> set[str]:
        found = set()
        for recorded in await self.events():
            assert isinstance(recorded.event, LeadSubmitted)
            found.add(recorded.event.resume.object)
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_submission_becomes_one_event_with_its_context(desk: Desk) -> None:
    receipt = await desk.recorder.record(submission(), None, TRACE)
    [recorded] = await desk.events()
    assert (recorded.lead_id, recorded.position) == (receipt.lead_id, receipt.position)
    assert (recorded.time, receipt.submitted_at) == (NOW, NOW)
    assert (recorded.source, recorded.actor) == ("/leadlog/intake", "prospect")
    assert recorded.correlation_id == receipt.lead_id
    assert recorded.traceparent == TRACE
    assert isinstance(recorded.event, LeadSubmitted)
    resume = recorded.event.resume
    assert (resume.size, resume.media_type) == (len(PDF), "application/pdf")
    assert b"".join([piece async for piece in desk.resumes.read(resume.object)]) == PDF
    assert not receipt.repeated


async def test_without_a_key_two_submissions_are_two_leads(desk: Desk) -> None:
    await desk.recorder.record(submission(), None)
    await desk.recorder.record(submission(), None)
    assert len(await desk.events()) == 2


async def test_the_same_key_and_content_gets_the_first_answer_again(desk: Desk) -> None:
    first = await desk.recorder.record(submission(), "key")
    again = await desk.recorder.record(submission(), "key")
    assert again == replace(first, repeated=True)
    assert len(await desk.events()) == 1
    assert len(desk.resumes.there) == 1


async def test_the_same_key_with_other_content_is_refused(desk: Desk) -> None:
    await desk.recorder.record(submission(), "key")
    for other in (submission(first_name="Eve"), submission(content=PDF + b" ")):
        with pytest.raises(KeyReused):
            await desk.recorder.record(other, "key")
    assert len(desk.resumes.there) == 1


async def test_many_at_once_with_one_key_make_one_lead(desk: Desk) -> None:
    receipts = await asyncio.gather(*(desk.recorder.record(submission(), "key") for _ in range(8)))
    assert len({receipt.lead_id for receipt in receipts}) == 1
    assert len(await desk.events()) == 1
    assert desk.resumes.there >= await desk.objects_of_events()


async def test_two_that_both_stored_a_resume_make_one_lead(desk: Desk) -> None:
    mine = new_claim(submission().fingerprint, NOW)
    await claim(desk.claims, "key", mine, never)
    other = Recorder(desk.store, desk.resumes, desk.claims)
    await asyncio.gather(
        desk.recorder._write(submission(), mine, None), other._write(submission(), mine, None)
    )
    assert len(await desk.events()) == 1
    assert desk.resumes.there > await desk.objects_of_events(), "the janitor takes the others"


async def test_a_claim_whose_submission_was_never_written_is_gone_on_with(desk: Desk) -> None:
    desk.store.before = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await desk.recorder.record(submission(), "key")
    desk.store.before = None
    receipt = await desk.recorder.record(submission(), "key")
    assert not receipt.repeated
    assert len(await desk.events()) == 1


async def test_after_an_error_a_corrected_form_is_taken_under_the_same_key(desk: Desk) -> None:
    desk.store.before = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await desk.recorder.record(submission(), "key")
    desk.store.before = None
    with pytest.raises(KeyReused):  # the first request might still be under way
        await desk.recorder.record(submission(first_name="Corrected"), "key")
    desk.now += timedelta(minutes=2)
    await desk.recorder.record(submission(first_name="Corrected"), "key")
    [recorded] = await desk.events()
    assert isinstance(recorded.event, LeadSubmitted)
    assert recorded.event.first_name == "Corrected"


async def test_a_recorded_claim_binds_however_old_it_is(desk: Desk) -> None:
    await desk.recorder.record(submission(), "key")
    desk.now += timedelta(hours=20)
    with pytest.raises(KeyReused):
        await desk.recorder.record(submission(first_name="Eve"), "key")
    assert len(await desk.events()) == 1


async def test_a_resume_whose_event_cannot_be_written_is_left_to_the_janitor(desk: Desk) -> None:
    desk.store.before = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await desk.recorder.record(submission(), None)
    assert len(desk.resumes.there) == 1
    assert await desk.events() == []


async def test_an_acknowledgement_that_was_lost_is_no_repeat(desk: Desk) -> None:
    class LostOnce(FaultyEventStore):
        async def submit(self, lead_id: UUID, event: NewEvent) -> Submitted:
            await super().submit(lead_id, event)
            return await super().submit(lead_id, event)

    store = LostOnce()
    recorder = Recorder(store, desk.resumes, desk.claims)
    receipt = await recorder.record(submission(), None)
    assert (receipt.position, receipt.repeated) == (1, False)
    assert await store.position_of(receipt.lead_id) == 1


async def test_when_the_event_may_have_been_written_the_resume_stays(desk: Desk) -> None:
    desk.store.after = StoreUnavailable(ambiguous=True)
    with pytest.raises(StoreUnavailable):
        await desk.recorder.record(submission(), "key")
    assert desk.resumes.there == await desk.objects_of_events()
    desk.store.after = None
    receipt = await desk.recorder.record(submission(), "key")
    assert receipt.repeated
    assert len(desk.resumes.there) == 1
    assert desk.resumes.there == await desk.objects_of_events()


async def test_without_the_resume_there_is_no_event(desk: Desk) -> None:
    desk.resumes.put_fails = True
    with pytest.raises(StoreUnavailable):
        await desk.recorder.record(submission(), None)
    assert await desk.events() == []


async def test_without_the_bucket_a_key_cannot_be_promised_anything(desk: Desk) -> None:
    desk.claims.down = True
    with pytest.raises(StoreUnavailable):
        await desk.recorder.record(submission(), "key")
    assert (await desk.events(), desk.resumes.there) == ([], set())


async def test_a_claim_that_runs_out_between_two_looks_is_made_anew() -> None:
    class RunsOut(MemoryClaims):
        async def get(self, key: str) -> None:
            del self.values[key]

    claims = RunsOut()
    mine = new_claim("print", NOW)
    await claim(claims, "key", new_claim("print", NOW), never)
    assert await claim(claims, "key", mine, never) == (mine, False)


async def test_a_bucket_that_contradicts_itself_is_unavailable() -> None:
    class Contradicts(MemoryClaims):
        async def get(self, key: str) -> None:
            assert key in self.values

    claims = Contradicts()
    await claim(claims, "key", new_claim("print", NOW), never)
    with pytest.raises(StoreUnavailable):
        await claim(claims, "key", new_claim("print", NOW), never)


async def test_a_claim_holds_nothing_that_was_typed(desk: Desk) -> None:
    await desk.recorder.record(submission("Zqmarked"), "my secret key")
    [(name, value)] = desk.claims.values.items()
    assert b"Zqmarked" not in value
    assert b"ada@" not in value
    assert "secret" not in name


@given(st.text(), st.text(), st.text(), st.text())
def test_fingerprints_are_equal_only_for_equal_content(a: str, b: str, c: str, d: str) -> None:
    def fingerprint(first: str, last: str) -> str:
        contact = ContactDetails.model_construct(
            first_name=first, last_name=last, email="a@b.c", phone=None, message=None
        )
        return replace(submission(), contact=contact).fingerprint

    assert (fingerprint(a, b) == fingerprint(c, d)) == ((a, b) == (c, d))


def test_a_fingerprint_tells_an_absent_field_from_the_word_none() -> None:
    contact = submission().contact
    absent = replace(submission(), contact=contact.model_copy(update={"phone": None}))
    word = replace(submission(), contact=contact.model_copy(update={"phone": "None"}))
    assert absent.fingerprint != word.fingerprint


def test_a_fingerprint_changes_with_the_file_and_its_name() -> None:
    one = submission()
    assert one.fingerprint == submission().fingerprint
    assert one.fingerprint != replace(one, file_name="other.pdf").fingerprint
    assert one.fingerprint != submission(content=PDF + b"\n").fingerprint


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é", "a\nb", "\x7f"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(InvalidKey):
        check_key(key)


@pytest.mark.parametrize("key", [None, "x", "x" * 255, '"8e03978e-40d5"', " ~"])
def test_keys(key: str | None) -> None:
    assert check_key(key) == key


def test_fresh_claims_differ() -> None:
    one, other = new_claim("print", NOW), new_claim("print", NOW)
    assert isinstance(one, Claim)
    assert one.lead_id != other.lead_id
    assert one.event_id != other.event_id
