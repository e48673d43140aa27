"""The notifier as a process: killed, stopped, and what it says about itself."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from tests.integration.chassis.processes import Service
from tests.integration.notifier.world import ATTORNEY, Log, get, sent_to, until
from tests.support.nats import NatsServer, provisioned
from tests.support.ports import free_port
from tests.support.smtp import PASSWORD, USERNAME, Hang, SmtpServer, smtp_server

JANE = "marked-address@example.com"


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


def environment(nats: NatsServer, smtp: SmtpServer, folder: Path) -> dict[str, str]:
    password = folder / "smtp-password"
    password.write_text(f"{PASSWORD}\n")
    return {
        "environment": "production",
        "nats_url": nats.url,
        "nats_nkey_seed": nats.seeds["notifier"],
        "smtp_host": "localhost",
        "smtp_port": str(smtp.port),
        "smtp_username": USERNAME,
        "smtp_password_file": str(password),
        "smtp_ca_file": str(smtp.ca_file(folder)),
        "smtp_timeout_seconds": "20",
        "mail_from": "no-reply@firm.example",
        "attorney_emails": ATTORNEY,
        "firm_name": "Harper & Lowe LLP",
        "retry_base_seconds": "0.05",
        "ack_wait_seconds": "1",
    }


async def test_after_a_kill_between_two_mails_the_first_is_not_sent_again(
    nats_server: NatsServer, js: JetStreamContext, smtp: SmtpServer, tmp_path: Path
) -> None:
    log, ledger = Log(js), Bucket(js, "MAIL_LEDGER")
    smtp.script("data", Hang(), to=ATTORNEY)
    settings = environment(nats_server, smtp, tmp_path)
    killed = await Service.start("services.notifier", **settings)
    lead_id = await log.submit(JANE)
    await until(ledger.keys)
    await smtp.wait_until(lambda: smtp.script_is_played)
    await killed.kill()
    assert Counter(received.recipient for received in smtp.messages) == {JANE: 1}
    second = await Service.start("services.notifier", **settings)
    try:
        assert sent_to(await log.wait_for_facts(lead_id)) == {JANE, ATTORNEY}
    finally:
        await second.kill()
    assert Counter(received.recipient for received in smtp.messages) == {JANE: 1, ATTORNEY: 1}


async def test_it_stops_on_sigterm_and_its_log_names_nobody(
    nats_server: NatsServer, js: JetStreamContext, smtp: SmtpServer, tmp_path: Path
) -> None:
    log = Log(js)
    smtp.script("rcpt", f"450 4.2.0 <{JANE}> try later", to=JANE)
    smtp.script("rcpt", f"550 5.1.1 <{JANE}> Marked-Name unknown", to=JANE)
    service = await Service.start(
        "services.notifier", log_level="debug", **environment(nats_server, smtp, tmp_path)
    )
    lead_id = await log.submit(JANE, first_name="Marked-Name", message="Marked-Message")
    await log.wait_for_facts(lead_id)
    service.process.terminate()
    code, lines, output = await service.ended()
    assert code == 0, output
    assert {"mail deferred", "mail failed", "mail sent", "service stopped"} <= {
        line["event"] for line in lines
    }
    assert "marked" not in output.lower()
    assert "anna@" not in output
    assert PASSWORD not in output


async def test_readiness_names_what_is_missing(
    nats_server: NatsServer, smtp: SmtpServer, tmp_path: Path
) -> None:
    service = await Service.start("services.notifier", **environment(nats_server, smtp, tmp_path))

    async def missing() -> bool:
        status, body = await get(f"{service.url}/readyz")
        return status == 503 and "the bucket MAIL_LEDGER" in (body["checks"]["streams"]["detail"])

    try:
        await until(missing)
        assert (await get(f"{service.url}/healthz"))[0] == 200
        async with provisioned(nats_server):
            await service.ready()
    finally:
        await service.kill()


async def test_metrics_tell_of_mails_and_of_the_lag(
    nats_server: NatsServer, js: JetStreamContext, smtp: SmtpServer, tmp_path: Path
) -> None:
    port = free_port()
    settings = environment(nats_server, smtp, tmp_path) | {"metrics_port": str(port)}
    service = await Service.start("services.notifier", **settings)
    log = Log(js)
    try:
        await log.wait_for_facts(await log.submit(JANE))

        async def caught_up() -> str | None:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/metrics") as response,
            ):
                text = await response.text()
            idle = "notifier_lag_events 0.0" in text and "notifier_unsettled_events 0.0" in text
            return text if idle and "mail_send_seconds_count 2.0" in text else None

        text = await until(caught_up)
    finally:
        await service.kill()
    assert 'mails_sent_total{template="attorney_alert"} 1.0' in text
    assert 'mails_sent_total{template="prospect_acknowledgement"} 1.0' in text
    assert "submission_to_mail_seconds_count 2.0" in text
    assert "smtp_connected 1.0" in text
    assert "marked" not in text


async def test_settings_that_are_not_safe_end_it_with_a_sentence(
    nats_server: NatsServer, smtp: SmtpServer, tmp_path: Path
) -> None:
    settings = environment(nats_server, smtp, tmp_path) | {"smtp_tls": "none"}
    service = await Service.start("services.notifier", **settings)
    code, _, output = await service.ended()
    assert code == 2
    assert "in production mail must travel encrypted" in output
    assert PASSWORD not in output
