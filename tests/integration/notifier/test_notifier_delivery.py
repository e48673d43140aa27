"""The whole notifier on a real nats-server and a real SMTP server."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from tests.integration.notifier.world import (
    ATTORNEY,
    Log,
    failed_for,
    get,
    notifier,
    sent_to,
    settings_for,
    until,
)
from tests.support.nats import NatsServer
from tests.support.smtp import USERNAME, Drop, Hang, SmtpServer, smtp_server

JANE = "jane@example.com"


@pytest.fixture
def log(js: JetStreamContext) -> Log:
    return Log(js)


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_submission_brings_both_mails(
    tls: Any, nats_server: NatsServer, log: Log, tmp_path: Path
) -> None:
    async with (
        smtp_server(tls=tls) as smtp,
        notifier(settings_for(nats_server, smtp, tmp_path)),
    ):
        lead_id = await log.submit(message="Please call me.")
        await smtp.wait_for(2)
        facts = await log.wait_for_facts(lead_id)
    (acknowledgement,) = smtp.to(JANE)
    (alert,) = smtp.to(ATTORNEY)
    for received in (acknowledgement, alert):
        assert (received.encrypted, received.user) == (True, USERNAME)
        assert received.sender == "no-reply@firm.example"
        assert received.message["Auto-Submitted"] == "auto-generated"
        assert received.message["Message-ID"].endswith("@firm.example>")
    assert acknowledgement.message["Reply-To"] == "Harper & Lowe LLP <office@firm.example>"
    assert alert.message["Reply-To"] == "Jane Doe <jane@example.com>"
    assert f"https://leads.firm.example/leads/{lead_id}" in alert.data.decode().replace("=\r\n", "")
    assert "Please call me." not in acknowledgement.data.decode()
    assert sent_to(facts) == {JANE, ATTORNEY}


async def test_a_lead_submitted_while_smtp_is_down_gets_its_mails_when_it_is_back(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    await smtp.stop()
    async with notifier(settings_for(nats_server, smtp, tmp_path)) as url:
        lead_id = await log.submit()

        async def waits() -> bool:
            status, body = await get(f"{url}/readyz")
            return status == 200 and "mails wait" in body["checks"]["smtp"]["detail"]

        await until(waits)
        await smtp.start()
        assert sent_to(await log.wait_for_facts(lead_id)) == {JANE, ATTORNEY}
    assert Counter(received.recipient for received in smtp.messages) == {JANE: 1, ATTORNEY: 1}
    assert await log.dead_letters() == 0


async def test_a_lead_submitted_before_the_notifier_starts_gets_its_mails(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    lead_id = await log.submit()
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await log.wait_for_facts(lead_id)


async def test_a_4xx_for_one_mail_does_not_hold_up_the_others(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", "451 4.7.1 greylisted", to="grey@example.com", times=10_000)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        grey = await log.submit("grey@example.com")
        others = [await log.submit(f"p{n}@example.com") for n in range(20)]
        for lead_id in others:
            await log.wait_for_facts(lead_id)
        assert sent_to(await log.facts(grey)) <= {ATTORNEY}
        smtp.forget_script()
        assert sent_to(await log.wait_for_facts(grey)) == {ATTORNEY, "grey@example.com"}
    assert Counter(received.recipient for received in smtp.messages)[ATTORNEY] == 21
    assert await log.dead_letters() == 0


async def test_a_550_fails_that_mail_alone(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    smtp.script("rcpt", f"550 5.1.1 <{JANE}> user unknown", to=JANE, times=100)
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        lead_id = await log.submit()
        facts = await log.wait_for_facts(lead_id)
        await log.settled()
    assert sent_to(facts) == {ATTORNEY}
    assert failed_for(facts) == {JANE}
    assert smtp.commands.count("RCPT") == 2
    assert await log.dead_letters() == 1
    letter = await log.js.get_last_msg("DEAD_LETTERS", "dead.notifier.>")
    assert str(letter.subject).startswith("dead.notifier.1.prospect_acknowledgement-")
    assert json.loads(letter.data or b"")["reason"] == "recipient 550 5.1.1 <address> user unknown"


async def test_an_impossible_address_fails_that_mail_alone(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        facts = await log.wait_for_facts(await log.submit("not an address"))
    assert (sent_to(facts), failed_for(facts)) == ({ATTORNEY}, {"not an address"})
    assert await log.dead_letters() == 1


@pytest.mark.parametrize(
    ("stage", "action"), [("data", Hang()), ("data_start", Hang()), ("data_start", Drop())]
)
async def test_silence_and_a_cut_in_the_middle_are_retried_and_hold_up_nobody(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path, stage: Any, action: Any
) -> None:
    smtp.script(stage, action, to="slow@example.com", times=2)
    settings = settings_for(nats_server, smtp, tmp_path, smtp_timeout_seconds=2)
    async with notifier(settings):
        slow = await log.submit("slow@example.com")
        for lead_id in [await log.submit(f"p{n}@example.com") for n in range(10)]:
            await log.wait_for_facts(lead_id)
        facts = await log.wait_for_facts(slow)
    assert sent_to(facts) == {ATTORNEY, "slow@example.com"}
    assert len(smtp.to("slow@example.com")) == 1


async def test_a_wrong_password_makes_mails_wait_and_shows(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    settings = settings_for(nats_server, smtp, tmp_path, smtp_password="wrong")
    lead_id = await log.submit()
    async with notifier(settings) as url:

        async def shown() -> bool:
            status, body = await get(f"{url}/readyz")
            return status == 200 and "auth 535" in body["checks"]["smtp"]["detail"]

        await until(shown)
    assert await log.facts(lead_id) == []
    assert await log.dead_letters() == 0
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        assert sent_to(await log.wait_for_facts(lead_id)) == {JANE, ATTORNEY}


async def test_a_certificate_that_is_not_trusted_gets_no_mail(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    settings = settings_for(nats_server, smtp, tmp_path, smtp_ca_file=None)
    async with notifier(settings) as url:
        await log.submit()

        async def shown() -> bool:
            _, body = await get(f"{url}/readyz")
            return body is not None and "not trusted" in body["checks"]["smtp"]["detail"]

        await until(shown)
    assert smtp.messages == []


async def test_two_replicas_send_each_mail_once(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    async with AsyncExitStack() as replicas:
        for _ in range(2):
            settings = settings_for(nats_server, smtp, tmp_path, smtp_timeout_seconds=20)
            await replicas.enter_async_context(notifier(settings))
        emails = [f"p{n}@example.com" for n in range(100)]
        await asyncio.gather(*(log.submit(email) for email in emails))
        await smtp.wait_for(200, within=60)
        await log.settled()
    assert Counter(received.recipient for received in smtp.messages) == (
        dict.fromkeys(emails, 1) | {ATTORNEY: 100}
    )
    assert len({received.message["Message-ID"] for received in smtp.messages}) == 200


async def test_the_broker_goes_away_and_comes_back(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await log.wait_for_facts(await log.submit())
        await nats_server.restart()
        lead_id = await log.submit("john@example.com")
        assert sent_to(await log.wait_for_facts(lead_id)) == {"john@example.com", ATTORNEY}
    assert Counter(received.recipient for received in smtp.messages) == {
        JANE: 1,
        "john@example.com": 1,
        ATTORNEY: 2,
    }


async def test_a_stop_finishes_what_is_in_flight(
    nats_server: NatsServer, log: Log, smtp: SmtpServer, tmp_path: Path
) -> None:
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await asyncio.gather(*(log.submit(f"p{n}@example.com") for n in range(30)))
        await smtp.wait_for(1)
    first = len(smtp.messages)
    assert smtp.open_connections == 0
    assert len(await Bucket(log.js, "MAIL_LEDGER").keys()) == first
    async with notifier(settings_for(nats_server, smtp, tmp_path)):
        await log.settled()
    assert Counter(received.recipient for received in smtp.messages) == (
        {f"p{n}@example.com": 1 for n in range(30)} | {ATTORNEY: 30}
    )
