"""A mail that was given up, and what an operator does about it."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from libs.events import NotificationFailed, NotificationSent, new_id
from libs.events.letter_store import Letters
from libs.events.letters import Letter
from services.cli.dead_letters.redrive import Outcome, redrive
from tests.integration.cli.test_commands import leadlog as process
from tests.integration.cli.test_commands import reach
from tests.integration.notifier.world import ATTORNEY, Log, notifier, settings_for, until
from tests.support.cli import leadlog
from tests.support.nats import NatsServer
from tests.support.smtp import Drop, SmtpServer, smtp_server

JANE = "jane@example.com"
UNKNOWN = f"550 5.1.1 <{JANE}> user unknown"


@pytest.fixture
def log(js: JetStreamContext) -> Log:
    return Log(js)


@pytest.fixture
def letters(js: JetStreamContext) -> Letters:
    return Letters(js)


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


async def only(letters: Letters) -> Letter:
    async def there() -> list[Letter]:
        return await letters.find_all()

    (letter,) = await until(there)
    return letter


async def messages_in(log: Log, subjects: str = ">") -> int:
    info = await log.js.stream_info("DEAD_LETTERS", subjects_filter=subjects)
    return sum((info.state.subjects or {}).values())


async def test_a_refused_mail_is_sent_when_it_is_redriven(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    server = reach(nats_server)
    smtp.script("rcpt", UNKNOWN, to=JANE, times=1)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        lead_id = await log.submit(JANE, first_name="Marked")
        await log.wait_for_facts(lead_id)

        code, said = await leadlog("dead-letters", "list", **server)
        assert code == 0
        assert str(lead_id) in said
        assert "550 5.1.1" in said
        assert JANE not in said
        assert "Marked" not in said
        code, said = await process("dead-letters", "list", "--json", **server)
        (listed,) = json.loads(said)
        assert listed["id"].startswith("notifier.1.prospect_acknowledgement-")
        assert listed["consumer"] == "notifier"
        assert listed["event_type"] == "LeadSubmitted"

        code, said = await leadlog("dead-letters", "show", listed["id"], **server)
        assert code == 0
        assert f"email: {JANE}" in said
        assert "first_name: Marked" in said

        code, said = await leadlog("dead-letters", "redrive", listed["id"], **server)
        assert code == 0
        assert f"{listed['id']}: done, the letter is gone" in said
        facts = await log.facts(lead_id)
    (mail,) = smtp.to(JANE)
    (alert,) = smtp.to(ATTORNEY)
    to_jane = [f for f in facts if getattr(f, "recipient", "") == JANE]
    assert [type(fact) for fact in to_jane] == [NotificationFailed, NotificationSent]
    assert len(facts) == 3
    assert mail.message["Message-ID"] != alert.message["Message-ID"]
    assert await messages_in(log) == 0
    assert await leadlog("dead-letters", "list", **server) == (0, "There are no dead letters.\n")


async def test_a_redrive_that_is_refused_again_keeps_the_letter_and_says_why(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", UNKNOWN, to=JANE, times=1)
    smtp.script("rcpt", "552 5.2.2 mailbox full", to=JANE, times=1)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        lead_id = await log.submit(JANE)
        letter = await only(letters)
        await log.wait_for_facts(lead_id)
        (failed,) = await redrive(letters, [letter.id], 20)
        assert failed == Outcome(letter.id, "failed", "recipient 552 5.2.2 mailbox full")
        after = await only(letters)
        assert (after.id, after.at, after.data) == (letter.id, letter.at, letter.data)
        assert after.redriven_at is not None
        assert await messages_in(log) == 1
        assert await redrive(letters, [letter.id], 20) == [Outcome(letter.id, "done")]
        facts = await log.wait_for_facts(lead_id, 4)
    kinds = [type(f) for f in facts if getattr(f, "recipient", "") == JANE]
    assert kinds == [NotificationFailed, NotificationFailed, NotificationSent]
    assert len(smtp.to(JANE)) == 1


async def test_a_redrive_waits_for_the_notifier_and_for_the_mail_server(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", UNKNOWN, to=JANE, times=1)
    smtp.script("rcpt", "451 4.7.1 later", to=JANE, times=2)
    smtp.script("data_start", Drop(), to=JANE, times=1)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        lead_id = await log.submit(JANE)
        letter = await only(letters)
        await log.wait_for_facts(lead_id)
    assert await redrive(letters, [letter.id], 0) == [Outcome(letter.id, "waits")]
    assert not await letters.ask(letter.id)
    assert await messages_in(log, "dead.redrive.>") == 1
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        assert await redrive(letters, [letter.id], 30) == [Outcome(letter.id, "done")]
    assert smtp.script_is_played
    assert len(smtp.to(JANE)) == 1
    assert await messages_in(log) == 0


async def test_two_replicas_send_each_redriven_mail_once(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    emails = [f"p{n}@example.com" for n in range(20)]
    for email in emails:
        smtp.script("rcpt", "550 5.1.1 user unknown", to=email, times=1)
    async with AsyncExitStack() as replicas:
        for _ in range(2):
            settings = settings_for(nats_server, smtp, tmp_path, smtp_timeout_seconds=20)
            await replicas.enter_async_context(notifier(settings))
        for email in emails:
            await log.submit(email)

        async def all_failed() -> bool:
            return len(await letters.find_all()) == len(emails)

        await until(all_failed)
        await log.settled()
        code, said = await leadlog("dead-letters", "redrive", "--all", **reach(nats_server))
    assert code == 0, said
    assert said.count("done, the letter is gone") == len(emails)
    assert [len(smtp.to(email)) for email in emails] == [1] * len(emails)
    assert await messages_in(log) == 0


async def test_an_order_that_comes_again_sends_nothing_again(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", UNKNOWN, to=JANE, times=1)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        lead_id = await log.submit(JANE)
        letter = await only(letters)
        await log.wait_for_facts(lead_id)
    await letters.ask(letter.id)
    order = await log.js.get_last_msg("DEAD_LETTERS", "dead.redrive.>")
    body = await log.js.get_last_msg("DEAD_LETTERS", f"dead.{letter.id}")
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await log.wait_for_facts(lead_id, 3)

        async def done() -> bool:
            return await messages_in(log) == 0

        await until(done)
        # As if the process had been killed right after the mail was taken.
        await log.js.publish(str(body.subject), body.data or b"")
        await log.js.publish(str(order.subject), order.data or b"")
        await until(done)
    assert len(smtp.to(JANE)) == 1
    assert len(await log.facts(lead_id)) == 3


async def test_what_cannot_be_redriven_is_said_in_words(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    server = reach(nats_server)
    await log.js.publish(f"leads.{new_id()}.mail", b"no event")
    raw = {
        "consumer": "projection", "subject": f"leads.{new_id()}.mail", "sequence": 1,
        "reason": "header 'ce-type' is missing", "at": "2026-03-09T14:05:00+00:00",
        "headers": {}, "data_base64": "bm8gZXZlbnQ=",
    }  # fmt: skip
    await log.js.publish("dead.projection.1", json.dumps(raw).encode())
    await log.js.publish("dead.notifier.7", b"nonsense")
    code, said = await leadlog("dead-letters", "redrive", "projection.1", **server)
    assert code == 1
    assert "leadlog rebuild" in said
    assert await messages_in(log, "dead.redrive.>") == 0
    code, said = await leadlog("dead-letters", "show", "projection.1", **server)
    assert "no event" in said
    code, said = await leadlog(
        "dead-letters", "redrive", "--all", "--consumer", "projection", **server
    )
    assert code == 0
    assert "1 letters cannot be redriven" in said
    assert "There is nothing to redrive" in said
    code, said = await leadlog("dead-letters", "show", "no.such", **server)
    assert (code, "There is no dead letter 'no.such'" in said) == (1, True)
    code, said = await leadlog("dead-letters", "redrive", **server)
    assert (code, "--all" in said) == (1, True)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        (failed,) = await redrive(letters, ["notifier.7"], 20)
    assert failed.state == "failed"
    assert "cannot read the event" in failed.reason

    code, said = await leadlog("dead-letters", "discard", "notifier.7", **server)
    assert code != 0
    assert len(await letters.find_all()) == 2
    code, said = await leadlog("dead-letters", "discard", "notifier.7", "--yes", **server)
    assert (code, said.endswith("1 erased.\n")) == (0, True)
    assert [letter.id for letter in await letters.find_all()] == ["projection.1"]


async def test_a_recipient_who_is_not_told_any_more_gets_nothing(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", "550 5.1.1 gone", to=ATTORNEY, times=1)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await log.wait_for_facts(await log.submit())
        letter = await only(letters)
    changed = settings_for(nats_server, smtp, tmp_path, attorney_emails=["ben@firm.example"])
    async with notifier(changed):
        (failed,) = await redrive(letters, [letter.id], 20)
    assert failed.state == "failed"
    assert "no such mail any more" in failed.reason
    assert smtp.to(ATTORNEY) == []
    assert smtp.to("ben@firm.example") == []


async def test_a_letter_of_an_event_that_is_not_in_the_log_sends_nothing(
    nats_server: NatsServer, log: Log, letters: Letters, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", UNKNOWN, to=JANE, times=1)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await log.wait_for_facts(await log.submit(JANE))
        letter = await only(letters)
        await log.js.delete_msg("LEADS", letter.sequence)
        (failed,) = await redrive(letters, [letter.id], 20)
    assert failed == Outcome(letter.id, "failed", "the event is not in the log any more")
    assert smtp.to(JANE) == []
