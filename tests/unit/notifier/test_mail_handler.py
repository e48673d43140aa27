"""Given an event and how the mail server answers, when it is handled, then ..."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import structlog

from libs.events import (
    Appended,
    History,
    LeadErased,
    NewEvent,
    NotificationFailed,
    NotificationSent,
    Part,
    RetryLater,
    StoreUnavailable,
)
from libs.events.memory import MemoryEventStore
from services.notifier.composing import Letter
from services.notifier.facts import MailHistory
from services.notifier.handler import MAX_UNEXPECTED, Notifier, RetryPolicy
from services.notifier.ledger import Ledger, Outcome, ledger_key
from services.notifier.policy import ACKNOWLEDGEMENT, ALERT, Mail, mails_for
from services.notifier.smtp.answers import Deferred, Misconfigured, Refused, Stage
from tests.unit.notifier.examples import FIRM, NOW, PROSPECT, MemoryPostman, Office, submit

ALL = ["anna@firm.example", "ben@firm.example", PROSPECT]
RETRY = RetryPolicy(base=2, cap=300)


def notifier(office: Office) -> Notifier:
    return Notifier(office.desk(), FIRM, RETRY)


def later(code: int = 451) -> Deferred:
    return Deferred(Stage.RECIPIENT, code, "later")


def never() -> Refused:
    return Refused(Stage.RECIPIENT, 550, "5.1.1 <address> unknown")


async def test_given_a_submission_then_every_mail_goes_out_and_is_in_the_history() -> None:
    office = Office()
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    assert office.postman.recipients == ALL
    facts = await office.facts(event)
    assert sorted(fact.recipient for fact in facts) == ALL
    assert all(isinstance(fact, NotificationSent) for fact in facts)
    assert {fact.message_id for fact in facts} == {
        letter.message_id for letter in office.postman.letters
    }
    assert all(fact.smtp_reply == "250 2.0.0 queued" for fact in facts)


async def test_the_facts_say_what_caused_them() -> None:
    office = Office()
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    facts = (await office.store.load(event.lead_id)).events[1:]
    assert {fact.causation_id for fact in facts} == {event.id}
    assert {fact.correlation_id for fact in facts} == {event.id}
    assert {fact.actor for fact in facts} == {"service:notifier"}
    assert {fact.time for fact in facts} == {NOW}


async def test_given_the_event_again_then_nothing_is_sent_again() -> None:
    office = Office()
    event = await submit(office.store)
    for attempt in (1, 2):
        await notifier(office).handle(event, attempt)
    assert office.postman.recipients == ALL
    assert len(await office.facts(event)) == 3


async def test_given_a_lost_ledger_then_the_history_keeps_mails_from_repeating() -> None:
    office = Office()
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    office.bucket.values.clear()
    await notifier(office).handle(event, 2)
    assert office.postman.recipients == ALL


async def test_given_a_crash_after_the_ledger_then_only_the_fact_is_made_up_for() -> None:
    office = Office()
    event = await submit(office.store)
    mail = mails_for(event, FIRM)[0]
    outcome = Outcome(state="sent", message_id="<m@firm.example>", at=NOW, smtp_reply="250 ok")
    await Ledger(office.bucket).record(event.id, mail, outcome)
    await notifier(office).handle(event, 2)
    assert PROSPECT not in office.postman.recipients
    (fact,) = [fact for fact in await office.facts(event) if fact.recipient == PROSPECT]
    assert fact.message_id == "<m@firm.example>"


async def test_given_a_4xx_then_the_others_go_out_and_only_that_mail_is_tried_again() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [later()]
    event = await submit(office.store)
    with pytest.raises(RetryLater, match="1 of 3 mails wait") as retry:
        await notifier(office).handle(event, 1)
    assert 0 <= retry.value.delay_seconds <= 2
    assert office.postman.recipients == ALL[:2]
    assert len(await office.facts(event)) == 2
    await notifier(office).handle(event, 2)
    assert office.postman.recipients == ALL
    assert office.dead_letters.letters == {}
    assert office.metric("mails_retried_total") == 1


async def test_given_a_550_then_that_mail_failed_and_is_a_dead_letter() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [never()]
    event = await submit(office.store)
    await notifier(office).handle(event, 3)
    assert office.postman.recipients == ALL[:2]
    (failed,) = [f for f in await office.facts(event) if isinstance(f, NotificationFailed)]
    assert failed == NotificationFailed(
        template=ACKNOWLEDGEMENT,
        recipient_role="prospect",
        recipient=PROSPECT,
        reason="recipient 550 5.1.1 <address> unknown",
        smtp_code=550,
        attempts=3,
    )
    assert list(office.dead_letters.letters.values()) == ["recipient 550 5.1.1 <address> unknown"]
    assert office.metric("mails_failed_total", template=ACKNOWLEDGEMENT) == 1


async def test_given_a_failed_mail_and_the_event_again_then_it_stays_failed() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [never()]
    event = await submit(office.store)
    for attempt in (1, 2):
        await notifier(office).handle(event, attempt)
    assert office.postman.recipients == ALL[:2]
    assert len(await office.facts(event)) == 3
    assert len(office.dead_letters.letters) == 1


async def test_given_an_impossible_address_then_the_mail_fails_at_once() -> None:
    office = Office()
    event = await submit(office.store, email="not an address")
    await notifier(office).handle(event, 1)
    (failed,) = [f for f in await office.facts(event) if isinstance(f, NotificationFailed)]
    assert failed.reason.startswith("not a valid email address")
    assert len(office.dead_letters.letters) == 1
    assert office.postman.recipients == ALL[:2]


async def test_given_a_wrong_password_then_no_mail_is_ever_given_up() -> None:
    office = Office()
    fault = Misconfigured(Stage.AUTH, 535, "credentials invalid")
    office.postman.errors = {recipient: [fault] * 50 for recipient in ALL}
    event = await submit(office.store)
    for attempt in range(1, 51):
        with pytest.raises(RetryLater):
            await notifier(office).handle(event, attempt)
    assert office.dead_letters.letters == {}
    assert await office.facts(event) == []
    await notifier(office).handle(event, 51)
    assert office.postman.recipients == ALL


async def test_given_a_dead_letter_that_could_not_be_kept_then_it_is_made_up_for() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [never()]
    office.dead_letters.failures = 1
    event = await submit(office.store)
    with pytest.raises(RetryLater):
        await notifier(office).handle(event, 1)
    await notifier(office).handle(event, 2)
    assert len(office.dead_letters.letters) == 1
    assert len(await office.facts(event)) == 3


async def test_given_a_ledger_that_is_away_after_sending_then_it_is_written_later() -> None:
    office = Office()
    office.bucket.failures = 2
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    assert office.postman.recipients == ALL
    assert len(office.bucket.values) == 3


async def test_given_a_log_that_is_away_then_nothing_is_sent() -> None:
    office = Office(store=AwayStore())
    event = await submit(office.store)
    with pytest.raises(RetryLater):
        await notifier(office).handle(event, 1)
    assert office.postman.letters == []


async def test_given_a_ledger_that_is_away_then_nothing_is_sent() -> None:
    office = Office()
    office.bucket.away = True
    event = await submit(office.store)
    with pytest.raises(RetryLater, match="JetStream does not answer"):
        await notifier(office).handle(event, 1)
    assert office.postman.letters == []


async def test_given_no_outcome_yet_then_the_ledger_is_asked_once_for_all_mails() -> None:
    office = Office()
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    assert office.bucket.questions == 1


async def test_given_a_broken_template_then_only_its_mails_fail(tmp_path: Path) -> None:
    for name, subject in ((ACKNOWLEDGEMENT, "{{ nonsense }}"), (ALERT, "New lead")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "subject.txt").write_text(subject)
        for body in ("body.txt", "body.html"):
            (tmp_path / name / body).write_text("text")
    office = Office(folder=tmp_path)
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    assert office.postman.recipients == ALL[:2]
    (failed,) = [f for f in await office.facts(event) if isinstance(f, NotificationFailed)]
    assert failed.reason == "its template cannot be rendered: 'nonsense' is undefined"


async def test_given_an_unexpected_error_then_it_is_retried_and_given_up_in_the_end() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [ZeroDivisionError("jane")] * MAX_UNEXPECTED
    event = await submit(office.store)
    one = notifier(office)
    for attempt in range(1, MAX_UNEXPECTED):
        with pytest.raises(RetryLater):
            await one.handle(event, attempt)
    await one.handle(event, MAX_UNEXPECTED)
    (failed,) = [f for f in await office.facts(event) if isinstance(f, NotificationFailed)]
    assert failed.reason == "unexpected: ZeroDivisionError"
    assert len(office.dead_letters.letters) == 1


async def test_given_many_deferrals_then_the_first_unexpected_error_gives_nothing_up() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [ZeroDivisionError("jane")]
    event = await submit(office.store)
    one = notifier(office)
    with pytest.raises(RetryLater):
        await one.handle(event, 50 * MAX_UNEXPECTED)
    await one.handle(event, 50 * MAX_UNEXPECTED + 1)
    assert office.postman.recipients == ALL
    assert office.dead_letters.letters == {}


async def test_given_a_mail_that_was_sent_then_no_later_fault_calls_it_failed() -> None:
    class FaultyHistory(MemoryEventStore):
        faults = 100

        async def append(
            self, lead_id: UUID, part: Part, events: Sequence[NewEvent], *, expected: int
        ) -> Appended:
            if part is Part.MAIL and self.faults:
                self.faults -= 1
                raise ZeroDivisionError
            return await super().append(lead_id, part, events, expected=expected)

    store = FaultyHistory()
    office = Office(store=store)
    event = await submit(store)
    one = notifier(office)
    for attempt in range(1, MAX_UNEXPECTED + 1):
        with suppress(RetryLater, ZeroDivisionError):
            await one.handle(event, attempt)
    store.faults = 0
    await one.handle(event, MAX_UNEXPECTED + 1)
    assert office.postman.recipients == ALL
    assert office.dead_letters.letters == {}
    facts = await office.facts(event)
    assert [type(fact) for fact in facts] == [NotificationSent] * 3


async def test_given_the_same_event_twice_at_once_then_the_second_waits() -> None:
    office = Office(postman=SlowPostman())
    event = await submit(office.store)
    one = notifier(office)
    first = asyncio.create_task(one.handle(event, 1))
    postman = office.postman
    assert isinstance(postman, SlowPostman)
    await postman.reached.wait()
    with pytest.raises(RetryLater, match="in hand"):
        await one.handle(event, 2)
    postman.go.set()
    await first
    assert office.postman.recipients == ALL


async def test_given_a_stop_during_a_mail_then_it_still_gets_into_the_ledger() -> None:
    office = Office(postman=SlowPostman())
    event = await submit(office.store)
    handling = asyncio.create_task(notifier(office).handle(event, 1))
    postman = office.postman
    assert isinstance(postman, SlowPostman)
    await postman.reached.wait()
    handling.cancel()
    asyncio.get_running_loop().call_soon(postman.go.set)
    with pytest.raises(asyncio.CancelledError):
        await handling
    assert len(office.bucket.values) == 3
    await notifier(office).handle(event, 2)
    assert office.postman.recipients == ALL


async def test_a_fact_finds_its_place_although_others_write() -> None:
    office = Office(store=BusyStore())
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    assert len(await office.facts(event)) == 3 + 2


async def test_the_ledger_holds_no_personal_data() -> None:
    office = Office()
    office.postman.errors[PROSPECT] = [never()]
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    everything = repr(office.bucket.values).lower()
    for personal in ("jane", "doe", "anna", "ben@"):
        assert personal not in everything
    key = ledger_key(event.id, mails_for(event, FIRM)[0])
    assert key.startswith(f"{event.id}.{ACKNOWLEDGEMENT}.")


async def test_the_logs_hold_no_personal_data() -> None:
    office = Office()
    office.postman.errors = {
        PROSPECT: [later(), never()],
        "anna@firm.example": [ZeroDivisionError("Marked-Name")],
    }
    event = await submit(office.store, first_name="Marked-Name")
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(RetryLater):
            await notifier(office).handle(event, 1)
        await notifier(office).handle(event, 2)
    assert {entry["event"] for entry in logs} == {
        "mail deferred",
        "mail sent",
        "mail failed",
        "a mail failed in an unexpected way",
    }
    for entry in logs:
        # The processors that render exc_info are tested with the chassis.
        error = entry.pop("exc_info", None)
        assert error is None or isinstance(error, ZeroDivisionError)
        for personal in ("marked-name", "jane", "anna@", "ben@"):
            assert personal not in repr(entry).lower()


async def test_sent_mails_are_counted_and_timed() -> None:
    office = Office()
    event = await submit(office.store)
    await notifier(office).handle(event, 1)
    assert office.metric("mails_sent_total", template=ALERT) == 2
    assert office.metric("mail_send_seconds_count") == 3
    assert office.metric("submission_to_mail_seconds_sum") == 3 * 60


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 2), (2, 4), (5, 32), (12, 300), (10_000, 300)]
)
def test_retries_come_later_and_later_up_to_a_cap(attempt: int, longest: float) -> None:
    delays = [RETRY.delay(attempt) for _ in range(200)]
    assert all(0 <= delay <= longest for delay in delays)
    assert max(delays) > longest / 2


class AwayStore(MemoryEventStore):
    """Answers once, then no more."""

    answers = 1

    async def load(self, lead_id: UUID) -> History:
        if self.answers:
            self.answers -= 1
            return await super().load(lead_id)
        raise StoreUnavailable


class BusyStore(MemoryEventStore):
    """Somebody else writes to the mail part before each of our first writes."""

    rivals = 2

    async def append(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        if part is Part.MAIL and self.rivals:
            self.rivals -= 1
            rival = replace(events[0], id=uuid4())
            last = (await self.load(lead_id)).last(part)
            await super().append(lead_id, part, [rival], expected=last)
        return await super().append(lead_id, part, events, expected=expected)


class SlowPostman(MemoryPostman):
    """Takes letters when told."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def send(self, letter: Letter) -> str:
        self.reached.set()
        await self.go.wait()
        return await super().send(letter)


async def erase(office: Office, lead_id: UUID) -> None:
    stone = NewEvent(
        event=LeadErased(reason="request", erased=()),
        id=uuid4(),
        time=NOW,
        source="/test",
        actor="operator",
    )
    await office.store.append(lead_id, Part.HANDLING, [stone], expected=0)


async def test_given_an_erased_person_then_no_mail_goes_and_nothing_is_written() -> None:
    office = Office()
    event = await submit(office.store)
    await erase(office, event.lead_id)
    await notifier(office).handle(event, 1)
    assert office.postman.recipients == []
    assert await office.facts(event) == []
    assert office.dead_letters.letters == {}


async def test_given_an_erasure_while_mails_are_sent_then_their_outcome_is_not_written() -> None:
    office = Office()
    event = await submit(office.store)
    mail = mails_for(event, FIRM)[0]
    history = await MailHistory.load(office.store, event)
    await erase(office, event.lead_id)
    # The outcome of another mail of the same lead, so that this one meets a conflict.
    await office.store.append(event.lead_id, Part.MAIL, [_sent(mail, event.id)], expected=0)
    await history.add(mail, Outcome(state="sent", message_id="<m@firm>", at=NOW))
    assert len(await office.facts(event)) == 1


def _sent(mail: Mail, cause: UUID) -> NewEvent:
    fact = NotificationSent(
        template=mail.template,
        recipient_role=mail.recipient_role,
        recipient=mail.recipient,
        message_id="<other@firm>",
    )
    return NewEvent(
        event=fact,
        id=uuid4(),
        time=NOW,
        source="/test",
        actor="service:notifier",
        causation_id=cause,
    )
