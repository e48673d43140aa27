"""The outbox end to end: a mail leaves, and no byte of it stays on disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from libs.outbox import Outbox, OutboxMail
from tests.integration.notifier.world import get, notifier, settings_for, until
from tests.support.nats import NatsServer
from tests.support.smtp import smtp_server

LINK = "https://leads.firm.example/welcome#marked-t0ken"


def a_mail(recipient: str = "marked.lena@firm.example") -> OutboxMail:
    return OutboxMail(
        template="account_invitation",
        account_id="0190a",
        recipient=recipient,
        name="Marked Lena",
        link=LINK,
        expires_at=datetime.now(UTC) + timedelta(days=1),
        details={"invited_by": "Anna"},
    )


async def emptied(js: JetStreamContext) -> bool:
    try:
        info = await js.consumer_info("OUTBOX", "notifier-outbox")
    except NotFoundError:  # the notifier has not made it yet
        return False
    state = (await js.stream_info("OUTBOX")).state
    return not (state.messages or info.num_pending or info.num_ack_pending)


async def test_a_mail_goes_out_and_leaves_nothing_behind(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with smtp_server() as smtp:
        settings = settings_for(nats_server, smtp, tmp_path)
        async with notifier(settings) as url:
            await Outbox(js).put(a_mail())
            await until(lambda: emptied(js))

            _, body = await get(f"{url}/readyz")
        assert body["checks"]["outbox"]["ok"] is True
        [received] = smtp.messages
        assert received.recipient == "marked.lena@firm.example"
        assert b"marked-t0ken" in received.data

    await nats_server.stop()
    folder = nats_server.store_dir
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(b"KV_MAIL_LEDGER" in file.read_bytes() for file in files)
    for marked in (b"marked-t0ken", b"marked.lena", b"Marked Lena"):
        assert [file for file in files if marked in file.read_bytes()] == []


async def test_a_mail_waits_for_the_mail_server(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with smtp_server() as smtp:
        smtp.script("rcpt", "451 4.3.0 later", times=2)
        async with notifier(settings_for(nats_server, smtp, tmp_path)):
            await Outbox(js).put(a_mail())
            await until(lambda: emptied(js))

        assert len(smtp.messages) == 1
