"""What an SMTP server's answer, or its silence, means for a mail (pure).

The question is whose fault it is. A refusal of this recipient or of this content is final.
Anything that may be different in a while is tried again. A refusal that would hit every mail
(our password, our sender address, our certificate store) is our own fault: no recipient may
lose a mail by it, so it is tried again too, and said aloud.
"""

import re
import ssl
from enum import StrEnum
from typing import Final

from aiosmtplib import (
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from services.notifier.texts import one_line

MAX_REPLY: Final = 300
_ADDRESS: Final = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?")
_PERMANENT: Final = range(500, 600)
_TOO_LARGE: Final = 552
# RFC 4954: authentication is missing, too weak, refused, unencrypted; and 503, which some
# servers answer for "AUTH first".
_SENDERS_TROUBLE: Final = re.compile(
    r"\b5\.4\.5\b|\brelay(ing)?\b|client host (was )?(rejected|blocked)"
    r"|\b(sending|daily|hourly|message|rate)\b.{0,20}\b(limit|quota)\b",
    re.IGNORECASE,
)
"""A refusal of us and not of the recipient, whatever its code: we may not send there, or not
so much (RFC 3463, 5.4.5 is "mail system congestion", which providers use for quotas)."""
_OUR_FAULT: Final = frozenset({503, 530, 534, 535, 538})


class Stage(StrEnum):
    """How far a mail came."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


class DeliveryError(Exception):
    """A mail was not accepted.

    Attributes:
        stage: where it ended.
        code: the server's reply code, if it gave one.
        reply: the server's words without any address, or what went wrong on our side.
    """

    def __init__(self, stage: Stage, code: int | None, reply: str) -> None:
        super().__init__(" ".join(str(part) for part in (stage, code, reply) if part))
        self.stage = stage
        self.code = code
        self.reply = reply


class Refused(DeliveryError):
    """For good: this recipient or this content will never be taken."""


class Deferred(DeliveryError):
    """For now: it may work later."""


class Misconfigured(Deferred):
    """The server takes nothing from us until an operator has put something right."""


def judge(stage: Stage, error: Exception) -> DeliveryError:
    """Say what an error means.

    Args:
        stage: what was being done.
        error: from aiosmtplib, or from the operating system.
    """
    connecting = stage in {Stage.CONNECT, Stage.TLS}
    if connecting and (tls := _tls_error(error)) is not None:
        return Misconfigured(Stage.TLS, None, _tls_fault(tls))
    match error:
        case SMTPResponseException(code=code, message=message):
            kind = kind_of(stage, code)
            if kind is Refused and _SENDERS_TROUBLE.search(message):
                kind = Misconfigured
            return kind(stage, code, redacted(message))
        case SMTPException() if not isinstance(error, OSError):
            # The server does not offer what the settings ask for.
            return Misconfigured(stage, None, redacted(str(error)))
        case _:
            return Deferred(stage, None, _silence(error))


def kind_of(stage: Stage, code: int) -> type[DeliveryError]:
    """What a reply code means at a stage (RFC 5321, section 4.2.1)."""
    if code not in _PERMANENT:
        return Deferred
    match stage:
        case Stage.RECIPIENT | Stage.DATA:
            return Misconfigured if code in _OUR_FAULT else Refused
        case Stage.SENDER if code == _TOO_LARGE:
            return Refused
        case _:
            return Misconfigured


def _silence(error: Exception) -> str:
    match error:
        case TimeoutError():  # aiosmtplib's is one, as its "disconnected" is a ConnectionError
            return "no answer in time"
        case SMTPServerDisconnected():
            return "the connection was lost"
        case OSError():
            return redacted(str(error))
        case _:
            return type(error).__name__


def redacted(reply: str) -> str:
    """A server's words on one line, without the addresses they often repeat.

    Bytes that are no UTF-8 arrive as surrogates, which no JSON can hold; they go as well.
    """
    return one_line(_ADDRESS.sub("<address>", reply), MAX_REPLY)


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the mail server's certificate is not trusted ({error.verify_message}); "
            "check SMTP_HOST, or name its authority in SMTP_CA_FILE"
        )
    return f"no TLS with the mail server ({redacted(str(error))}); check SMTP_TLS and SMTP_PORT"
