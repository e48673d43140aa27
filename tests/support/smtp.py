"""A real SMTP server for tests: TLS, AUTH, and a script of how it misbehaves."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import trustme
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session

USERNAME = "leadlog"
PASSWORD = "app-password-7"


class Hang:
    """Never answer."""


class Drop:
    """Cut the connection."""


@dataclass(frozen=True)
class Slow:
    """Go on after so many seconds."""

    seconds: float


Action = str | Hang | Drop | Slow
Stage = Literal["connect", "auth", "mail", "rcpt", "data_start", "data"]


@dataclass
class _Rule:
    stage: Stage
    action: Action
    to: str | None
    times: int


@dataclass(frozen=True)
class Received:
    """A mail the server has accepted."""

    sender: str
    recipient: str
    data: bytes
    options: tuple[str, ...]
    encrypted: bool
    user: str | None
    connection: int

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.data, _class=EmailMessage, policy=policy.SMTP)


@dataclass
class SmtpServer:
    """One server on 127.0.0.1; ``port`` stays the same over ``stop`` and ``start``."""

    tls: Literal["starttls", "implicit", "none"] = "starttls"
    auth: bool = True
    smtputf8: bool = True
    ca: trustme.CA = field(default_factory=trustme.CA)
    certificate_for: str = "localhost"
    port: int = 0
    messages: list[Received] = field(default_factory=list)
    connections: int = 0
    quits: int = 0
    commands: list[str] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _open: set["_Protocol"] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def script(
        self, stage: Stage, action: Action, *, to: str | None = None, times: int = 1
    ) -> None:
        """Do this the next ``times`` times at a stage, for one recipient or for any."""
        self._rules.append(_Rule(stage, action, to, times))

    @property
    def script_is_played(self) -> bool:
        return all(rule.times == 0 for rule in self._rules)

    def forget_script(self) -> None:
        self._rules.clear()

    def ca_file(self, folder: Path) -> Path:
        path = folder / f"ca-{self.port}.pem"
        self.ca.cert_pem.write_to_path(path)
        return path

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._tls_context()
        self._server = await loop.create_server(
            lambda: _Protocol(self, context if self.tls == "starttls" else None),
            "127.0.0.1",
            self.port,
            ssl=context if self.tls == "implicit" else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut_connections()

    def cut_connections(self) -> None:
        for protocol in list(self._open):
            protocol.cut()

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def wait_until(self, condition: Callable[[], bool], within: float = 20) -> None:
        """Until something this server sees makes the condition true."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(condition)

    async def wait_for(self, count: int, within: float = 20) -> list[Received]:
        await self.wait_until(lambda: len(self.messages) >= count, within)
        return list(self.messages)

    def to(self, recipient: str) -> list[Received]:
        return [received for received in self.messages if received.recipient == recipient]

    async def happened(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def next_action(self, stage: Stage, recipient: str | None) -> Action | None:
        for rule in self._rules:
            if rule.stage == stage and rule.times > 0 and rule.to in {None, recipient}:
                rule.times -= 1
                return rule.action
        return None

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(self.certificate_for).configure_cert(context)
        return context


class _Protocol(SMTP):
    def __init__(self, server: SmtpServer, tls_context: ssl.SSLContext | None) -> None:
        self._test_server = server
        self.number = 0
        with warnings.catch_warnings():
            # aiosmtpd does not see that an implicit TLS connection is encrypted.
            warnings.simplefilter("ignore", UserWarning)
            super().__init__(
                _Handler(server),
                hostname="mail.test",
                enable_SMTPUTF8=server.smtputf8,
                tls_context=tls_context,
                require_starttls=server.tls == "starttls",
                auth_required=server.auth,
                auth_require_tls=server.tls == "starttls",
                authenticator=_authenticate,
            )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self._test_server.connections += 1
            self.number = self._test_server.connections
            self._test_server._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._test_server._open.discard(self)
        super().connection_lost(error)

    def cut(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def act(self, stage: Stage, recipient: str | None = None) -> str | None:
        """Play the script's next action; an answer, or None to go on as usual."""
        action = self._test_server.next_action(stage, recipient)
        match action:
            case None:
                return None
            case str():
                return action
            case Slow(seconds):
                await asyncio.sleep(seconds)
                return None
            case Drop():
                self.cut()
        await self._test_server.happened()
        return await asyncio.Event().wait() and None  # until the connection is gone

    async def push(self, status: Any) -> None:
        """Texts go out as Latin-1: servers do that, though RFC 5321 allows ASCII alone."""
        await super().push(status.encode("latin-1") if isinstance(status, str) else status)

    async def _handle_client(self) -> None:
        answer = await self.act("connect")
        if answer is not None:
            await self.push(answer)
            self.cut_softly()
            return
        await super()._handle_client()

    def cut_softly(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        recipient = self.envelope.rcpt_tos[0] if self.envelope and self.envelope.rcpt_tos else None
        action = self._test_server.next_action("data_start", recipient)
        if isinstance(action, str):
            await self.push(action)
            return
        if action is not None:
            await self.push("354 go on")
            if isinstance(action, Drop):
                await self._reader.readuntil(b"\r\n")  # in the middle of the mail
                self.cut()
            await self._test_server.happened()
            await asyncio.Event().wait()
        await super().smtp_DATA(arg)


class _Handler:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_AUTH(self, protocol: _Protocol, *_: object) -> Any:  # noqa: N802 - aiosmtpd's
        return await protocol.act("auth") or MISSING

    async def handle_MAIL(  # noqa: N802
        self, protocol: _Protocol, _: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        self._server.commands.append("MAIL")
        envelope.mail_options = list(options)
        if (answer := await protocol.act("mail")) is not None:
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, protocol: _Protocol, _: Session, envelope: Envelope, address: str, __: Any
    ) -> str:
        self._server.commands.append("RCPT")
        if (answer := await protocol.act("rcpt", address)) is not None:
            await self._server.happened()
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_NOOP(self, *_: object) -> str:  # noqa: N802
        self._server.commands.append("NOOP")
        return "250 OK"

    async def handle_QUIT(self, *_: object) -> str:  # noqa: N802
        self._server.quits += 1
        await self._server.happened()
        return "221 Bye"

    async def handle_DATA(  # noqa: N802
        self, protocol: _Protocol, session: Session, envelope: Envelope
    ) -> str:
        recipient = envelope.rcpt_tos[0]
        if (answer := await protocol.act("data", recipient)) is not None:
            await self._server.happened()
            return answer
        self._server.messages.append(_received(protocol, session, envelope, recipient))
        await self._server.happened()
        return f"250 2.0.0 queued as {len(self._server.messages)}"


def _received(
    protocol: _Protocol, session: Session, envelope: Envelope, recipient: str
) -> Received:
    encrypted = session.ssl is not None or (
        protocol.transport is not None
        and protocol.transport.get_extra_info("sslcontext") is not None
    )
    login = getattr(session.auth_data, "login", None)
    user = login.decode() if session.authenticated and login else None
    content = envelope.original_content or b""
    return Received(
        envelope.mail_from or "",
        recipient,
        content,
        tuple(envelope.mail_options),
        encrypted,
        user,
        protocol.number,
    )


def _authenticate(
    server: Any, session: Session, envelope: Envelope, mechanism: str, auth_data: Any
) -> AuthResult:
    right = LoginPassword(USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=auth_data == right, handled=False, auth_data=auth_data)


@asynccontextmanager
async def smtp_server(**options: Any) -> AsyncIterator[SmtpServer]:
    """A running server; see ``SmtpServer`` for the options."""
    server = SmtpServer(**options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
