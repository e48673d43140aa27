"""Given a dead letter and how the mail server answers, when it is redriven, then ..."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from libs.events import (
    LeadErased,
    NotificationFailed,
    NotificationSent,
    Part,
    RecordedEvent,
    RetryLater,
)
from libs.events.envelope import NewEvent, encode
from libs.events.letters import Letter, Order
from libs.events.subjects import subject_of
from services.notifier.delivery import letter_key
from services.notifier.handler import MAX_UNEXPECTED, Notifier, RetryPolicy
from services.notifier.policy import mails_for
from services.notifier.redrive import Redriver
from services.notifier.smtp.answers import Deferred, Refused, Stage
from tests.unit.notifier.examples import FIRM, NOW, PROSPECT, Office, submit

RETRY = RetryPolicy(base=2, cap=300)
REFUSED = Refused(Stage.RECIPIENT, 550, "5.1.1 <address> unknown")


class MemoryLetters:
    """Keeps letters by id."""

    def __init__(self, *letters: Letter) -> None:
        self.letters = {letter.id: letter for letter in letters}

    async def get(self, letter_id: str) -> Letter | None:
        return self.letters.get(letter_id)

    async def discard(self, letter_id: str) -> None:
        self.letters.pop(letter_id, None)

    async def update(self, letter: Letter, reason: str) -> None:
        self.letters[letter.id] = replace(letter, reason=reason)


def letter_of(event: RecordedEvent, key: str | None) -> Letter:
    new = NewEvent(
        event=event.event, id=event.id, time=event.time, source=event.source, actor=event.actor
    )
    headers, data = encode(new, event.lead_id)
    return Letter(
        id=".".join(["notifier", str(event.position), *([key] if key else [])]),
        position=1,
        consumer="notifier",
        subject=subject_of(event.lead_id, event.part),
        sequence=event.position,
        reason="as at first",
        at=NOW,
        headers=headers,
        data=data,
    )


class Case:
    """A prospect's mail that was refused once."""

    def __init__(self) -> None:
        self.office = Office()
        self.letters = MemoryLetters()
        self.id = ""

    async def prepare(self) -> "Case":
        self.office.postman.errors[PROSPECT] = [REFUSED]
        self.event = await submit(self.office.store)
        await self.notifier.handle(self.event, 1)
        letter = letter_of(self.event, letter_key(mails_for(self.event, FIRM)[0]))
        self.letters, self.id = MemoryLetters(letter), letter.id
        return self

    @property
    def notifier(self) -> Notifier:
        return Notifier(self.office.desk(), FIRM, RETRY)

    @property
    def redriver(self) -> Redriver:
        return Redriver(self.office.desk(), FIRM, RETRY, self.letters, self.notifier)

    async def redrive(self, order: UUID, attempt: int = 1) -> None:
        await self.redriver.handle(Order(order, self.id), attempt)

    async def outcomes(self) -> list[type]:
        facts = await self.office.facts(self.event)
        return [type(fact) for fact in facts if fact.recipient == PROSPECT]

    @property
    def mails(self) -> int:
        return self.office.postman.recipients.count(PROSPECT)


async def test_given_a_server_that_takes_it_then_the_letter_goes_and_the_history_says_so() -> None:
    case = await Case().prepare()
    await case.redrive(uuid4())
    assert case.letters.letters == {}
    assert case.mails == 1
    assert await case.outcomes() == [NotificationFailed, NotificationSent]


async def test_given_the_same_order_again_then_no_second_mail_goes_out() -> None:
    case, order = await Case().prepare(), uuid4()
    kept = dict(case.letters.letters)
    await case.redrive(order)
    case.letters.letters = kept  # as if the process had ended before the letter was erased
    await case.redrive(order)
    assert case.letters.letters == {}
    assert case.mails == 1
    assert await case.outcomes() == [NotificationFailed, NotificationSent]


async def test_given_another_refusal_then_the_letter_stays_with_the_new_reason() -> None:
    case = await Case().prepare()
    case.office.postman.errors[PROSPECT] = [Refused(Stage.RECIPIENT, 552, "full")]
    await case.redrive(uuid4())
    assert case.letters.letters[case.id].reason == "recipient 552 full"
    assert await case.outcomes() == [NotificationFailed, NotificationFailed]
    await case.redrive(uuid4())
    assert case.letters.letters == {}
    assert await case.outcomes() == [NotificationFailed, NotificationFailed, NotificationSent]


async def test_given_a_server_that_is_busy_then_it_is_tried_later() -> None:
    case, order = await Case().prepare(), uuid4()
    case.office.postman.errors[PROSPECT] = [Deferred(Stage.RECIPIENT, 451, "later")]
    with pytest.raises(RetryLater):
        await case.redrive(order)
    assert case.id in case.letters.letters
    await case.redrive(order, 2)
    assert case.letters.letters == {}
    assert await case.outcomes() == [NotificationFailed, NotificationSent]


async def test_given_an_unexpected_error_then_it_is_given_up_in_the_end() -> None:
    case, order = await Case().prepare(), uuid4()
    case.office.postman.errors[PROSPECT] = [ZeroDivisionError("jane")] * MAX_UNEXPECTED
    for attempt in range(1, MAX_UNEXPECTED):
        with pytest.raises(ZeroDivisionError):
            await case.redrive(order, attempt)
    await case.redrive(order, MAX_UNEXPECTED)
    assert case.letters.letters[case.id].reason == "unexpected: ZeroDivisionError"


async def test_given_a_letter_of_a_whole_event_then_only_what_is_open_is_sent() -> None:
    case = await Case().prepare()
    case.office.postman.letters.clear()
    other = await submit(case.office.store)
    letters = [letter_of(case.event, None), replace(letter_of(other, None), id="notifier.99")]
    case.letters = MemoryLetters(*letters)
    for letter in letters:
        await case.redriver.handle(Order(uuid4(), letter.id), 1)
    assert case.letters.letters == {}
    # All of the other event's mails; of this one's each had its outcome.
    assert len(case.office.postman.letters) == 3


async def test_given_an_event_that_is_gone_or_a_letter_that_is_then_nothing_is_sent() -> None:
    case = await Case().prepare()
    case.office.postman.letters.clear()
    gone = letter_of(replace(case.event, id=uuid4()), case.letters.letters[case.id].key)
    case.letters = MemoryLetters(gone)
    await case.redrive(uuid4())
    assert case.letters.letters[case.id].reason == "the event is not in the log any more"
    await case.letters.discard(case.id)
    await case.redrive(uuid4())
    assert case.office.postman.letters == []


async def test_given_an_erased_person_then_the_letter_goes_and_no_mail_does() -> None:
    case = await Case().prepare()
    stone = NewEvent(
        event=LeadErased(reason="request", erased=()),
        id=uuid4(),
        time=NOW,
        source="/test",
        actor="operator",
    )
    await case.office.store.append(case.event.lead_id, Part.HANDLING, [stone], expected=0)
    await case.redrive(uuid4())
    assert case.letters.letters == {}
    assert case.mails == 0
