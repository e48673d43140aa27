"""Mails sent by real clients to a real server."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path

import aiosmtplib
import pytest

from services.cli.mail_catcher.envelope import Envelope, unstamp
from services.cli.mail_catcher.folder import MailFolder
from services.cli.mail_catcher.smtp import MAX_MAIL_BYTES, Keeper, listen

SENDER, RECIPIENT = "a@x.example", "b@y.example"


@asynccontextmanager
async def catching(folder: MailFolder) -> AsyncIterator[int]:
    server = await listen(Keeper(folder), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    made = MailFolder(tmp_path / "mails")
    made.open()
    return made


@pytest.fixture
async def port(folder: MailFolder) -> AsyncIterator[int]:
    async with catching(folder) as number:
        yield number


def only(folder: MailFolder) -> tuple[Envelope | None, bytes]:
    (mail_id,) = folder.ids()
    return unstamp(folder.read(mail_id))


def send(port: int, data: bytes, *recipients: str, options: tuple[str, ...] = ()) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail(SENDER, recipients or [RECIPIENT], data, mail_options=options)


async def test_lines_that_begin_with_dots_arrive_as_they_were(
    folder: MailFolder, port: int
) -> None:
    data = b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\n...three\r\nend\r\n"
    await asyncio.to_thread(send, port, data)
    assert only(folder) == (Envelope(SENDER, (RECIPIENT,)), data)


async def test_eight_bits_arrive_as_they_were(folder: MailFolder, port: int) -> None:
    data = b"Subject: caf\xe9\r\n\r\n" + bytes(set(range(1, 256)) - {10, 13}) + b"\r\n"
    await asyncio.to_thread(send, port, data, options=("BODY=8BITMIME",))
    assert only(folder)[1] == data


async def test_addresses_beyond_ascii(folder: MailFolder, port: int) -> None:
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"] = SENDER, "zoë@bücher.example"
    message["Subject"] = "Grüße"
    message.set_content("Straße\n")
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port)
    envelope, data = only(folder)
    assert envelope is not None
    assert envelope.recipients == ("zoë@bücher.example",)
    assert "Subject: Grüße".encode() in data


async def test_two_recipients_are_one_mail(folder: MailFolder, port: int) -> None:
    await asyncio.to_thread(send, port, b"To: c@y.example\r\n\r\nx\r\n", RECIPIENT, "d@y.example")
    envelope, _ = only(folder)
    assert envelope == Envelope(SENDER, (RECIPIENT, "d@y.example"))


async def test_many_at_once_are_all_kept(folder: MailFolder, port: int) -> None:
    async def one(number: int) -> None:
        data = f"Subject: {number}\r\n\r\nx\r\n"
        await aiosmtplib.send(
            data, sender=SENDER, recipients=[RECIPIENT], hostname="127.0.0.1", port=port
        )

    await asyncio.gather(*map(one, range(60)))
    subjects = [mail.subject for mail in folder.summaries(folder.ids())]
    assert sorted(map(int, subjects)) == list(range(60))


async def test_several_mails_on_one_connection(folder: MailFolder, port: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        for number in range(3):
            await client.sendmail(SENDER, [RECIPIENT], f"Subject: {number}\r\n\r\n")
    assert [mail.subject for mail in folder.summaries(folder.ids())] == ["2", "1", "0"]


async def test_a_bounce_has_no_sender(folder: MailFolder, port: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        await client.sendmail("", [RECIPIENT], "Subject: bounce\r\n\r\n")
    assert only(folder)[0] == Envelope("", (RECIPIENT,))


async def test_a_mail_with_the_largest_resume_fits_and_a_larger_one_is_refused(
    folder: MailFolder, port: int
) -> None:
    line = b"x" * 998 + b"\r\n"
    large = line * (MAX_MAIL_BYTES // len(line))
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=60) as client:
        await client.sendmail(SENDER, [RECIPIENT], large)
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await client.sendmail(SENDER, [RECIPIENT], large + line)
    assert refused.value.code == 552
    assert only(folder)[1] == large


async def test_a_disk_that_fails_is_an_answer_to_try_again(folder: MailFolder, port: int) -> None:
    folder.path.rmdir()
    folder.path.write_text("in the way")
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await client.sendmail(SENDER, [RECIPIENT], "Subject: x\r\n\r\n")
        assert refused.value.code == 451
        folder.path.unlink()
        await client.sendmail(SENDER, [RECIPIENT], "Subject: y\r\n\r\n")
    assert only(folder)[1] == b"Subject: y\r\n\r\n"


async def test_the_log_names_nobody(
    folder: MailFolder,
    port: int,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    await asyncio.to_thread(send, port, b"Subject: Marked\r\n\r\nMarked\r\n", "marked@y.example")
    written = capfd.readouterr()
    seen = (caplog.text + written.out + written.err).lower()
    assert "mail kept" in seen
    assert "marked" not in seen
    assert SENDER not in seen
