"""One connection to the SMTP server."""

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.notifier.composing import Letter
from services.notifier.smtp.answers import Refused, Stage, judge
from services.notifier.smtp.commands import data, mail, rcpt

TlsMode = Literal["starttls", "implicit", "none"]
_GOODBYE_SECONDS = 2.0
_UNAVAILABLE = 421
"""The server closes the connection (RFC 5321, section 3.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where and how to reach the SMTP server.

    Attributes:
        tls: ``starttls`` upgrades a plain connection and gives up if that is not possible;
            ``implicit`` is TLS from the first byte (RFC 8314); ``none`` is for trials.
        ca_file: certificate authorities to trust in place of the system's.
        timeout: seconds for each step: connecting, and each command's answer.
    """

    host: str
    port: int
    tls: TlsMode
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0

    def tls_context(self) -> ssl.SSLContext:
        """A context that verifies certificate and host name.

        Raises:
            OSError: the CA file cannot be read or holds no certificate.
        """
        return ssl.create_default_context(cafile=self.ca_file)


class Stale(Exception):
    """A kept connection turned out to be dead before the mail was on its way."""


class Connection:
    """An open, authenticated connection; used by one mail at a time."""

    def __init__(self, client: SMTP) -> None:
        self._client = client
        self._sent = 0

    @classmethod
    async def open(cls, server: Server, tls_context: ssl.SSLContext) -> "Connection":
        """Connect, secure the connection, authenticate.

        Raises:
            Deferred: not now; Misconfigured if an operator has to act.
        """
        stage = Stage.CONNECT
        client = SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "implicit",
            start_tls=False,
            tls_context=tls_context,
            timeout=server.timeout,
            local_hostname=await asyncio.to_thread(_own_name),
        )
        try:
            await client.connect()
            await client.ehlo()
            if server.tls == "starttls":
                stage = Stage.TLS
                await client.starttls(tls_context=tls_context)
                await client.ehlo()
            if server.username is not None:
                stage = Stage.AUTH
                await client.login(server.username, server.password or "")
        except (SMTPException, OSError) as error:
            client.close()
            raise judge(stage, error) from error
        except BaseException:
            client.close()
            raise
        return cls(client)

    @property
    def usable(self) -> bool:
        """Whether the connection is open, as far as one can tell without asking."""
        return self._client.is_connected

    async def send(self, letter: Letter) -> str:
        """Hand a letter over; the server's reply to it.

        Raises:
            Stale: this kept connection was dead; nothing has been sent.
            Refused, Deferred, Misconfigured: see there. The connection is still usable after
                an answer, and closed after silence.
        """
        stage, options = Stage.SENDER, self._options(letter)
        encoding = "utf-8" if letter.smtputf8 else "ascii"
        try:
            await mail(self._client, letter.sender.encode(encoding), options)
            stage = Stage.RECIPIENT
            await rcpt(self._client, letter.recipient.encode(encoding))
            stage = Stage.DATA
            response = await data(self._client, letter.data)
        except SMTPResponseException as error:
            if stage is not Stage.DATA and error.code == _UNAVAILABLE and self._sent:
                raise Stale from error
            await self._reset()
            raise judge(stage, error) from error
        except (SMTPException, OSError) as error:
            self.abort()
            lost = isinstance(error, ConnectionError)
            if lost and stage is not Stage.DATA and self._sent:
                raise Stale from error
            raise judge(stage, error) from error
        except BaseException:  # cancelled: the next answer would be taken for another's
            self.abort()
            raise
        self._sent += 1
        return f"{response.code} {response.message}"

    def _options(self, letter: Letter) -> list[bytes]:
        if not letter.smtputf8:
            return []
        if not self._client.supports_extension("smtputf8"):
            raise Refused(
                Stage.RECIPIENT,
                None,
                "the mail server cannot send to an address with such characters (no SMTPUTF8)",
            )
        return [b"SMTPUTF8", b"BODY=8BITMIME"]

    async def _reset(self) -> None:
        """Forget the mail that was refused, so that the next can be sent."""
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self.abort()

    async def alive(self, within: float) -> bool:
        """Ask the server whether it is still there; its answer must come within so many seconds."""
        try:
            await self._client.noop(timeout=within)
        except (SMTPException, OSError):
            self.abort()
            return False
        return True

    async def close(self) -> None:
        """Say QUIT and close."""
        with suppress(SMTPException, OSError):
            await self._client.quit(timeout=_GOODBYE_SECONDS)
        self._client.close()

    def abort(self) -> None:
        """Close without a word: after silence there is nobody to say it to."""
        # uvloop's transports are no asyncio.Transport, but have its methods.
        if (abort := getattr(self._client.transport, "abort", None)) is not None:
            abort()
        self._client.close()


@cache
def _own_name() -> str:
    """What to say in EHLO: our name if it is a full one, else an address literal."""
    name = socket.getfqdn()
    full = "." in name and name.isascii() and not name.endswith(".arpa")
    return name if full else "[127.0.0.1]"
