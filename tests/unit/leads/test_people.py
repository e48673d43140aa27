"""What is due, what belongs to whom, and what an erasure has to do: all pure."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from libs.chassis.jetstream import StoredMessage
from libs.events import (
    ErasedEvent,
    Event,
    LeadErased,
    LeadReachedOut,
    LeadSubmitted,
    NewEvent,
    NotificationSent,
    RecordedEvent,
    ResumeRef,
    ResumeReleased,
    ResumeScanned,
    Verdict,
)
from libs.events.chain import hash_of
from libs.events.envelope import encode, record
from libs.events.letters import parse_letter
from libs.events.subjects import subject_of
from services.leads.people.export import safe_name
from services.leads.people.find import about
from services.leads.people.plan import plan_of
from services.leads.people.records import SETTLES_AFTER, Erasure
from services.leads.people.retention import Rule, Times, due, take
from services.leads.people.traces import Marks, of_claims, of_ledger, of_letters

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LEAD, OTHER = UUID(int=1), UUID(int=2)
RESUME = ResumeRef(object="o-1", file_name="cv.pdf", media_type="m", size=1, sha256="0")
SUBMITTED = LeadSubmitted(first_name="A", last_name="B", email="a@example.org", resume=RESUME)
SENT = NotificationSent(
    template="t", recipient_role="prospect", recipient="a@example.org", message_id="<m@f>"
)


def fact(event: Event, at: datetime = NOW, event_id: UUID | None = None) -> NewEvent:
    return NewEvent(event=event, id=event_id or uuid4(), time=at, source="/t", actor="prospect")


def recorded(event: Event, lead: UUID, at: datetime) -> RecordedEvent:
    return record(fact(event, at), lead, 1)


def stored(event: Event, position: int, event_id: UUID | None = None) -> StoredMessage:
    headers, data = encode(fact(event, event_id=event_id), LEAD)
    return StoredMessage(subject_of(LEAD, event.part), position, headers, data)


def days(count: int) -> datetime:
    return NOW - timedelta(days=count)


def test_nobody_is_due_while_the_rule_is_off() -> None:
    assert Rule().is_off
    assert due({LEAD: Times(days(9999))}, Rule(), NOW) == []


def test_a_lead_is_due_once_its_days_have_passed_and_not_before() -> None:
    rule = Rule(after_submission_days=10)
    assert due({LEAD: Times(days(11)), OTHER: Times(days(10))}, rule, NOW) == [LEAD]


def test_the_earlier_of_two_times_counts() -> None:
    rule = Rule(after_submission_days=100, after_reached_out_days=5)
    leads = {LEAD: Times(days(50), days(6)), OTHER: Times(days(50), days(4))}
    assert due(leads, rule, NOW) == [LEAD]


def test_the_times_are_read_from_the_log_and_the_erased_are_left_out() -> None:
    leads: dict[UUID, Times] = {}
    events = [
        recorded(SUBMITTED, LEAD, days(9)),
        recorded(LeadReachedOut(), LEAD, days(8)),
        recorded(LeadReachedOut(), LEAD, days(7)),
        recorded(SUBMITTED, OTHER, days(9)),
        recorded(LeadErased(reason="request", erased=()), OTHER, days(1)),
        recorded(LeadReachedOut(), UUID(int=3), days(1)),
    ]
    take(leads, events)
    assert leads == {LEAD: Times(days(9), days(8))}


def test_a_plan_names_what_is_new_and_erases_the_submission_last() -> None:
    submission, handling, mail = stored(SUBMITTED, 3), stored(LeadReachedOut(), 5), stored(SENT, 7)
    plan = plan_of([submission, handling, mail])
    assert [one.position for one in plan.unannounced] == [3, 5, 7]
    assert plan.unannounced[0].hash == hash_of(
        submission.subject, submission.headers, submission.data
    )
    assert plan.doomed == (5, 7, 3)
    assert plan.last_handling == 5
    assert plan.objects == {"o-1"}
    assert plan.message_ids == {"<m@f>"}


def test_what_is_known_of_the_resume_is_erased_as_well() -> None:
    scan = stored(ResumeScanned(verdict=Verdict.INFECTED, signature="S"), 4)
    release = stored(ResumeReleased(reason="She sent it again, it is the same."), 6)
    plan = plan_of([stored(SUBMITTED, 3), scan, release])
    assert [(one.position, one.part) for one in plan.unannounced] == [
        (3, "submission"),
        (4, "resume"),
        (6, "resume"),
    ]
    assert plan.doomed == (4, 6, 3)
    assert plan.last_handling == 0


def test_what_is_named_already_is_erased_without_naming_it_again() -> None:
    submission = stored(SUBMITTED, 3)
    named = ErasedEvent(position=3, part="submission", hash="h")
    tomb = stored(LeadErased(reason="request", erased=(named,)), 8)
    plan = plan_of([submission, tomb, stored(SENT, 9)])
    assert [one.position for one in plan.unannounced] == [9]
    assert plan.doomed == (9, 3)
    assert plan.last_handling == 8


def test_nothing_is_left_to_do_when_only_the_stone_stands() -> None:
    plan = plan_of([stored(LeadErased(reason="retention", erased=()), 8)])
    assert (plan.unannounced, plan.doomed) == ((), ())


def test_a_message_that_cannot_be_read_is_erased_as_well() -> None:
    broken = StoredMessage(f"leads.{LEAD}.later", 4, {}, b"\xff")
    plan = plan_of([broken])
    assert [(one.position, one.part) for one in plan.unannounced] == [(4, "later")]
    assert plan.doomed == (4,)


def entry(key: str, message_id: str) -> StoredMessage:
    body = json.dumps({"state": "sent", "message_id": message_id}).encode()
    return StoredMessage(f"$KV.MAIL_LEDGER.{key}", 1, {}, body)


def test_the_ledger_is_searched_by_event_and_a_redrive_by_its_mail() -> None:
    own, redriven = entry(f"{OTHER}.ack.h", "<1@f>"), entry(f"{uuid4()}.ack.h", "<1@f>")
    foreign = entry(f"{uuid4()}.ack.h", "<2@f>")
    marks = Marks(frozenset({LEAD}), frozenset({OTHER}))
    assert of_ledger([redriven, own, foreign], marks) == [redriven, own]


def test_claims_are_known_by_their_lead() -> None:
    mine = StoredMessage("$KV.IDEMPOTENCY.a", 1, {}, json.dumps({"lead_id": str(LEAD)}).encode())
    others = StoredMessage("$KV.IDEMPOTENCY.b", 2, {}, json.dumps({"lead_id": "x"}).encode())
    deleted = StoredMessage("$KV.IDEMPOTENCY.c", 3, {"KV-Operation": "DEL"}, b"")
    assert of_claims([mine, others, deleted], {LEAD}) == [mine]


def letter(letter_id: str, subject: str, data: bytes) -> StoredMessage:
    body = {
        "consumer": "notifier",
        "subject": subject,
        "sequence": 1,
        "reason": "r",
        "at": NOW.isoformat(),
        "headers": {},
        "data_base64": base64.b64encode(data).decode(),
    }
    return StoredMessage(f"dead.{letter_id}", 1, {}, json.dumps(body).encode())


def test_letters_go_with_the_orders_for_them() -> None:
    mine = letter("notifier.1", f"leads.{LEAD}.submission", b"{}")
    order = StoredMessage("dead.redrive.notifier.1", 2, {}, b"{}")
    odd = letter("projection.2", "leads.odd", b'{"lead": "%s"}' % str(LEAD).encode())
    others = letter("notifier.3", f"leads.{OTHER}.submission", b"{}")
    foreign = StoredMessage("dead.redrive.notifier.3", 4, {}, b"{}")
    found = of_letters([mine, order, odd, others, foreign], Marks(frozenset({LEAD})))
    assert found == [mine, odd, order]


def test_a_person_is_found_in_a_letter_that_nobody_can_read() -> None:
    message = letter("projection.1", f"leads.{LEAD}.submission", b'{"mail": "A@Example.org"}')
    longer = letter("projection.2", f"leads.{OTHER}.submission", b'{"mail": "bea@example.org"}')
    letters = [parse_letter(one.subject, one.sequence, one.data) for one in (message, longer)]
    assert about(letters, "a@EXAMPLE.org") == [LEAD]


def test_a_record_is_due_at_once_then_after_a_while_and_then_never() -> None:
    begun = Erasure(lead_id=LEAD, reason="request", started_at=NOW)
    assert begun.is_due(NOW)
    erased = begun.model_copy(update={"erased_at": NOW})
    assert not erased.is_due(NOW)
    assert erased.is_due(NOW + SETTLES_AFTER)
    assert not erased.model_copy(update={"settled_at": NOW}).is_due(NOW + 9 * SETTLES_AFTER)


def test_a_file_cannot_leave_its_folder_in_the_archive() -> None:
    assert safe_name("cv.pdf") == "file-cv.pdf"
    assert safe_name("../../etc/passwd") == "file-_.._etc_passwd"
    assert safe_name("Lebenslauf Müller.pdf") == "file-Lebenslauf M_ller.pdf"
    assert safe_name(" .. ") == "file-resume"
    assert len(safe_name("x" * 500 + ".pdf")) <= 85
