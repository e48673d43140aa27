"""The pool of connections against a real SMTP server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.notifier.composing import Letter
from services.notifier.smtp.answers import Deferred, Misconfigured, Refused, Stage
from services.notifier.smtp.connection import Server
from services.notifier.smtp.pool import SmtpPool
from tests.support.smtp import PASSWORD, USERNAME, Drop, Hang, Slow, SmtpServer, smtp_server


def letter(recipient: str = "jane@example.com", *, smtputf8: bool = False) -> Letter:
    data = b"From: office@firm.example\r\nTo: someone\r\nSubject: Hello\r\n\r\nHello\r\n.\r\n"
    return Letter(
        message_id="<1@firm.example>",
        sender="office@firm.example",
        recipient=recipient,
        data=data,
        smtputf8=smtputf8,
    )


def reach(server: SmtpServer, folder: Path, **changes: Any) -> Server:
    options: dict[str, Any] = {
        "host": "localhost",
        "port": server.port,
        "tls": server.tls,
        "username": USERNAME if server.auth else None,
        "password": PASSWORD if server.auth else None,
        "ca_file": server.ca_file(folder),
        "timeout": 5.0,
    }
    return Server(**options | changes)


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as running:
        yield running


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_mail_travels_encrypted_and_authenticated(tls: Any, tmp_path: Path) -> None:
    async with smtp_server(tls=tls) as server, SmtpPool(reach(server, tmp_path)) as pool:
        reply = await pool.send(letter())
    (received,) = server.messages
    assert reply == "250 2.0.0 queued as 1"
    assert (received.encrypted, received.user) == (True, USERNAME)
    assert (received.sender, received.recipient) == ("office@firm.example", "jane@example.com")
    assert received.data == letter().data
    assert server.quits == 1


async def test_one_connection_takes_many_mails(server: SmtpServer, tmp_path: Path) -> None:
    async with SmtpPool(reach(server, tmp_path), connections=2) as pool:
        await asyncio.gather(*(pool.send(letter(f"a{n}@example.com")) for n in range(40)))
    assert len({received.recipient for received in server.messages}) == 40
    assert server.connections <= 2
    assert server.quits == server.connections


async def test_a_refusal_leaves_the_connection_for_the_next_mail(
    server: SmtpServer, tmp_path: Path
) -> None:
    server.script("rcpt", "550 5.1.1 <jane@example.com> unknown", to="jane@example.com")
    async with SmtpPool(reach(server, tmp_path), connections=1) as pool:
        with pytest.raises(Refused) as refused:
            await pool.send(letter("jane@example.com"))
        await pool.send(letter("john@example.com"))
    assert (refused.value.stage, refused.value.code) == (Stage.RECIPIENT, 550)
    assert refused.value.reply == "5.1.1 <address> unknown"
    assert server.connections == 1


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("connect", "421 too busy"),
        ("mail", "451 later"),
        ("rcpt", "450 4.2.0 greylisted"),
        ("data", "452 4.3.1 no room"),
        ("data_start", "451 not now"),
        ("connect", Drop()),
        ("mail", Drop()),
        ("rcpt", Drop()),
        ("data_start", Drop()),
        ("data", Drop()),
        ("connect", Hang()),
        ("mail", Hang()),
        ("rcpt", Hang()),
        ("data_start", Hang()),
        ("data", Hang()),
    ],
)
async def test_passing_trouble_defers_the_mail_and_the_next_goes_through(
    server: SmtpServer, tmp_path: Path, stage: Any, answer: Any
) -> None:
    server.script(stage, answer)
    async with SmtpPool(reach(server, tmp_path, timeout=0.5), connections=1) as pool:
        with pytest.raises(Deferred) as deferred:
            await pool.send(letter("jane@example.com"))
        await pool.send(letter("john@example.com"))
    assert not isinstance(deferred.value, Misconfigured)
    assert [received.recipient for received in server.messages] == ["john@example.com"]


async def test_a_slow_server_is_waited_for(server: SmtpServer, tmp_path: Path) -> None:
    server.script("data", Slow(0.3))
    async with SmtpPool(reach(server, tmp_path)) as pool:
        assert (await pool.send(letter())).startswith("250")


async def test_a_hanging_mail_does_not_hold_up_the_others(
    server: SmtpServer, tmp_path: Path
) -> None:
    server.script("data", Hang(), to="jane@example.com")
    async with SmtpPool(reach(server, tmp_path, timeout=30), connections=2) as pool:
        hanging = asyncio.create_task(pool.send(letter("jane@example.com")))
        await asyncio.gather(*(pool.send(letter(f"a{n}@example.com")) for n in range(10)))
        assert not hanging.done()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
    assert len(server.messages) == 10


async def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    server: SmtpServer, tmp_path: Path
) -> None:
    async with SmtpPool(reach(server, tmp_path), connections=1) as pool:
        await pool.send(letter())
        await server.stop()
        await server.start()
        await pool.send(letter("john@example.com"))
    assert server.connections == 2


async def test_a_server_that_ends_the_session_after_some_mails_is_reconnected(
    server: SmtpServer, tmp_path: Path
) -> None:
    async with SmtpPool(reach(server, tmp_path), connections=1) as pool:
        await pool.send(letter())
        server.script("mail", "421 4.7.0 too many mails in this session")
        await pool.send(letter("john@example.com"))
    assert [received.connection for received in server.messages] == [1, 2]


async def test_an_idle_connection_is_asked_before_use(server: SmtpServer, tmp_path: Path) -> None:
    async with SmtpPool(reach(server, tmp_path), connections=1, check_after=0) as pool:
        await pool.send(letter())
        await pool.send(letter("john@example.com"))
    assert "NOOP" in server.commands
    assert server.connections == 1


async def test_an_idle_connection_is_closed_with_quit(server: SmtpServer, tmp_path: Path) -> None:
    async with SmtpPool(reach(server, tmp_path), idle=0.1) as pool:
        await pool.send(letter())
        await server.wait_until(lambda: server.quits == 1)


async def test_a_trial_leaves_its_connection_for_the_first_mail(
    server: SmtpServer, tmp_path: Path
) -> None:
    async with SmtpPool(reach(server, tmp_path)) as pool:
        await pool.try_out()
        assert pool.connected
        await pool.send(letter())
    assert server.connections == 1


async def test_a_trial_that_fails_shows_and_harms_nothing(
    server: SmtpServer, tmp_path: Path
) -> None:
    async with SmtpPool(reach(server, tmp_path, password="wrong")) as pool:
        await pool.try_out()
        assert str(pool.fault) == "auth 535 5.7.8 Authentication credentials invalid"


async def test_an_answer_in_latin_1_does_no_harm(server: SmtpServer, tmp_path: Path) -> None:
    server.script("rcpt", "550 Empfänger unbekannt")
    async with SmtpPool(reach(server, tmp_path)) as pool:
        with pytest.raises(Refused) as refused:
            await pool.send(letter())
    assert refused.value.reply.encode().startswith(b"Empf")


async def test_a_wrong_password_is_our_fault_and_shows(server: SmtpServer, tmp_path: Path) -> None:
    async with SmtpPool(reach(server, tmp_path, password="wrong")) as pool:
        with pytest.raises(Misconfigured) as fault:
            await pool.send(letter())
        assert (fault.value.stage, fault.value.code) == (Stage.AUTH, 535)
        assert pool.fault is fault.value


async def test_a_sender_address_that_is_refused_is_our_fault(
    server: SmtpServer, tmp_path: Path
) -> None:
    server.script("mail", "553 5.7.1 sender address rejected: not owned by user")
    async with SmtpPool(reach(server, tmp_path)) as pool:
        with pytest.raises(Misconfigured):
            await pool.send(letter())
        assert pool.fault is not None
        await pool.send(letter())
        assert pool.fault is None


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_of_an_unknown_authority_is_refused(tls: Any, tmp_path: Path) -> None:
    async with (
        smtp_server(tls=tls) as server,
        SmtpPool(reach(server, tmp_path, ca_file=None)) as pool,
    ):
        with pytest.raises(Misconfigured, match="certificate is not trusted"):
            await pool.send(letter())
    assert server.messages == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_for_another_host_is_refused(tls: Any, tmp_path: Path) -> None:
    async with (
        smtp_server(tls=tls, certificate_for="mail.other.example") as server,
        SmtpPool(reach(server, tmp_path)) as pool,
    ):
        with pytest.raises(Misconfigured, match="certificate is not trusted"):
            await pool.send(letter())
    assert server.messages == []


async def test_a_server_without_starttls_gets_no_mail_and_no_password(tmp_path: Path) -> None:
    async with (
        smtp_server(tls="none", auth=False) as server,
        SmtpPool(reach(server, tmp_path, tls="starttls", username=USERNAME)) as pool,
    ):
        with pytest.raises(Misconfigured) as fault:
            await pool.send(letter())
    assert fault.value.stage is Stage.TLS
    assert server.messages == []


async def test_tls_from_the_first_byte_at_a_plain_port_is_explained(tmp_path: Path) -> None:
    async with (
        smtp_server(tls="none", auth=False) as server,
        SmtpPool(reach(server, tmp_path, tls="implicit", timeout=2)) as pool,
    ):
        with pytest.raises(Misconfigured, match="check SMTP_TLS and SMTP_PORT"):
            await pool.send(letter())


async def test_nobody_listening_defers(server: SmtpServer, tmp_path: Path) -> None:
    async with SmtpPool(reach(server, tmp_path)) as pool:
        await server.stop()
        with pytest.raises(Deferred):
            await pool.send(letter())
        await server.start()
        await pool.send(letter())


async def test_smtputf8_is_used_where_needed_and_only_there(
    server: SmtpServer, tmp_path: Path
) -> None:
    async with SmtpPool(reach(server, tmp_path)) as pool:
        await pool.send(letter("zoë@example.com", smtputf8=True))
        await pool.send(letter("jane@example.com"))
    with_it, without = server.messages
    assert with_it.recipient == "zoë@example.com"
    assert "SMTPUTF8" in with_it.options
    assert without.options == ()


async def test_an_address_that_the_server_cannot_take_is_refused_for_good(tmp_path: Path) -> None:
    async with smtp_server(smtputf8=False) as server, SmtpPool(reach(server, tmp_path)) as pool:
        with pytest.raises(Refused, match="SMTPUTF8"):
            await pool.send(letter("zoë@example.com", smtputf8=True))
        await pool.send(letter("jane@example.com"))
    assert server.connections == 1
