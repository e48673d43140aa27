import ssl

import pytest
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPReadTimeoutError,
    SMTPRecipientRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from services.notifier.smtp.answers import (
    Deferred,
    Misconfigured,
    Refused,
    Stage,
    judge,
    redacted,
)


@pytest.mark.parametrize(
    ("stage", "error", "verdict"),
    [
        (Stage.RECIPIENT, SMTPRecipientRefused(550, "unknown", "x"), Refused),
        (Stage.RECIPIENT, SMTPRecipientRefused(501, "bad address", "x"), Refused),
        (Stage.RECIPIENT, SMTPRecipientRefused(556, "takes no mail", "x"), Refused),
        (Stage.RECIPIENT, SMTPRecipientRefused(450, "greylisted", "x"), Deferred),
        (Stage.RECIPIENT, SMTPRecipientRefused(421, "closing", "x"), Deferred),
        (Stage.RECIPIENT, SMTPRecipientRefused(530, "authentication required", "x"), Misconfigured),
        (
            Stage.RECIPIENT,
            SMTPRecipientRefused(554, "5.7.1 Relay access denied", "x"),
            Misconfigured,
        ),
        (Stage.RECIPIENT, SMTPRecipientRefused(550, "relaying not allowed", "x"), Misconfigured),
        (Stage.RECIPIENT, SMTPRecipientRefused(550, "Client host rejected", "x"), Misconfigured),
        (Stage.DATA, SMTPDataError(550, "5.4.5 Daily user sending limit exceeded"), Misconfigured),
        (Stage.DATA, SMTPDataError(554, "message quota exceeded"), Misconfigured),
        (Stage.RECIPIENT, SMTPRecipientRefused(552, "5.2.2 mailbox over quota", "x"), Refused),
        (Stage.RECIPIENT, SMTPRecipientRefused(550, "5.7.1 you may not write here", "x"), Refused),
        (Stage.DATA, SMTPDataError(554, "spam"), Refused),
        (Stage.DATA, SMTPDataError(552, "too large"), Refused),
        (Stage.DATA, SMTPDataError(452, "no room"), Deferred),
        (Stage.DATA, SMTPServerDisconnected("gone"), Deferred),
        (Stage.DATA, SMTPReadTimeoutError("silence"), Deferred),
        (Stage.SENDER, SMTPSenderRefused(553, "not yours", "x"), Misconfigured),
        (Stage.SENDER, SMTPSenderRefused(552, "too large", "x"), Refused),
        (Stage.SENDER, SMTPSenderRefused(451, "later", "x"), Deferred),
        (Stage.AUTH, SMTPAuthenticationError(535, "no"), Misconfigured),
        (Stage.AUTH, SMTPAuthenticationError(454, "later"), Deferred),
        (Stage.AUTH, SMTPException("no AUTH here"), Misconfigured),
        (Stage.TLS, SMTPException("no STARTTLS here"), Misconfigured),
        (Stage.CONNECT, SMTPConnectResponseError(554, "not for you"), Misconfigured),
        (Stage.CONNECT, SMTPConnectResponseError(421, "busy"), Deferred),
        (Stage.CONNECT, SMTPConnectError("refused"), Deferred),
        (Stage.CONNECT, OSError("no route"), Deferred),
        (Stage.CONNECT, ssl.SSLError("wrong version"), Misconfigured),
        (Stage.DATA, ssl.SSLError("cut off"), Deferred),
    ],
)
def test_whose_fault_it_is(stage: Stage, error: Exception, verdict: type[Exception]) -> None:
    assert type(judge(stage, error)) is verdict


def test_a_verdict_says_where_and_what() -> None:
    refused = judge(Stage.RECIPIENT, SMTPRecipientRefused(550, "5.1.1\nno such user", "x"))
    assert str(refused) == "recipient 550 5.1.1 no such user"
    assert str(judge(Stage.DATA, SMTPServerDisconnected("x"))) == "data the connection was lost"
    assert str(judge(Stage.CONNECT, TimeoutError())) == "connect no answer in time"


@pytest.mark.parametrize(
    ("reply", "without"),
    [
        ("5.1.1 <jane@example.com>: unknown", "5.1.1 <address>: unknown"),
        ("jane.doe+x@example.com over quota", "<address> over quota"),
        ("no address\r\n in here", "no address in here"),
        ("x" * 1000, f"{'x' * 299}…"),
        ("Empf\udce4nger unbekannt", "Empf\ufffdnger unbekannt"),
    ],
)
def test_a_reply_is_kept_without_addresses(reply: str, without: str) -> None:
    assert redacted(reply) == without
