"""One mail from its event to its outcome.

The order is what makes a crash harmless: the server takes the mail, the ledger keeps that,
the history gets the fact. SMTP has no way to ask "did you take this?", so a mail can go out twice
in two cases: this process is killed after the server took it and before the ledger has it (a
few milliseconds, and a stop of the service waits for them), or the connection is lost after
the mail's last byte and before the server's answer.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from jinja2 import TemplateError

from libs.events import EventStore, RecordedEvent
from services.notifier.addresses import ImpossibleAddress
from services.notifier.composing import Letter, Sender, compose, message_id
from services.notifier.facts import MailHistory
from services.notifier.ledger import Ledger, Outcome, recipient_hash
from services.notifier.metrics import MailMetrics
from services.notifier.policy import Mail
from services.notifier.rendering import Renderer
from services.notifier.smtp.answers import Refused, redacted

CONSUMER: Final = "notifier"
GRACE_SECONDS: Final = 4.0
_PAUSE_SECONDS: Final = 0.1
_MAX_PAUSE_SECONDS: Final = 30.0
_CODE_DIGITS: Final = 3
_log = structlog.get_logger(__name__)


class Postman(Protocol):
    """Hands letters over; ``services.notifier.smtp.pool.SmtpPool`` is one."""

    async def send(self, letter: Letter) -> str:
        """Send a letter; the server's reply.

        Raises:
            Refused, Deferred: see ``services.notifier.smtp.answers``.
        """
        ...


class DeadLetterBox(Protocol):
    """Keeps what was given up; ``libs.events.dead_letters.DeadLetters`` is one."""

    async def put(
        self, consumer: str, event: RecordedEvent, reason: str, *, key: str | None = None
    ) -> None:
        """Keep an event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """All that the delivery of a mail needs."""

    store: EventStore
    ledger: Ledger
    dead_letters: DeadLetterBox
    postman: Postman
    renderer: Renderer
    sender: Sender
    metrics: MailMetrics
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


async def deliver(
    desk: Desk,
    cause: RecordedEvent,
    mail: Mail,
    history: MailHistory,
    attempt: int,
    *,
    blank: bool = False,
) -> None:
    """Bring a mail to its end, or raise what keeps it from it.

    A mail that has ended before, on the same occasion, is not sent again; what was not yet
    written about it is. ``blank``: the ledger said a moment ago that it knows nothing of this
    occasion, so it need not be asked about this mail.

    Raises:
        Deferred: the server does not take it now.
        StoreUnavailable: JetStream does not answer.
    """
    if history.holds(mail):
        return
    occasion = history.occasion
    outcome = None if blank else await desk.ledger.find(occasion, mail)
    if outcome is None:
        outcome = await uninterrupted(_send(desk, cause, mail, occasion, attempt))
    if outcome.state == "failed":
        reason = outcome.reason or "refused"
        await desk.dead_letters.put(CONSUMER, cause, reason, key=letter_key(mail))
    await history.add(mail, outcome)


def letter_key(mail: Mail) -> str:
    """Tells the dead letters of an event's mails apart."""
    return f"{mail.template}-{recipient_hash(mail)}"


async def give_up(
    desk: Desk, cause: RecordedEvent, mail: Mail, history: MailHistory, failed: Outcome
) -> None:
    """End a mail that cannot be delivered, unless it has ended otherwise before.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    if await desk.ledger.find(history.occasion, mail) is None:
        await _record(desk, cause, mail, history.occasion, failed)
    await deliver(desk, cause, mail, history, failed.attempts)


async def _send(
    desk: Desk, cause: RecordedEvent, mail: Mail, occasion: UUID, attempt: int
) -> Outcome:
    """Send the mail, and keep in the ledger how that ended."""
    identity = message_id(cause.id, mail, desk.sender)
    started = monotonic()
    try:
        rendered = desk.renderer.render(mail.template, mail.context)
        letter = compose(mail, rendered, sender=desk.sender, event_id=cause.id, now=desk.now())
        reply = await desk.postman.send(letter)
    except (Refused, ImpossibleAddress, TemplateError) as error:
        outcome = failure(desk, identity, error, attempt)
    else:
        outcome = Outcome(
            state="sent",
            message_id=identity,
            at=desk.now(),
            smtp_code=_code(reply),
            smtp_reply=redacted(reply),
            attempts=attempt,
        )
        desk.metrics.sent(mail.template, monotonic() - started, desk.now() - cause.time)
    await _record(desk, cause, mail, occasion, outcome)
    return outcome


def failure(desk: Desk, identity: str, error: Exception, attempt: int) -> Outcome:
    """The outcome of a mail that an error has ended."""
    refused = error if isinstance(error, Refused) else None
    match error:
        case Refused() | ImpossibleAddress():
            reason = str(error)
        case TemplateError():
            reason = f"its template cannot be rendered: {error.message or type(error).__name__}"
        case _:
            reason = f"unexpected: {type(error).__name__}"
    return Outcome(
        state="failed",
        message_id=identity,
        at=desk.now(),
        smtp_code=refused.code if refused else None,
        smtp_reply=refused.reply if refused else None,
        reason=reason,
        attempts=attempt,
    )


async def _record(
    desk: Desk, cause: RecordedEvent, mail: Mail, occasion: UUID, outcome: Outcome
) -> None:
    """Write to the ledger, however long it takes: the mail is gone and must not go again."""
    pause = _PAUSE_SECONDS
    while True:
        try:
            await desk.ledger.record(occasion, mail, outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, giving up means a repeat
            _log.warning("the mail ledger cannot be written; waiting", exc_info=error)
            await asyncio.sleep(pause)
            pause = min(_MAX_PAUSE_SECONDS, 2 * pause)
        else:
            break
    _say(desk, cause, mail, outcome)


def _say(desk: Desk, cause: RecordedEvent, mail: Mail, outcome: Outcome) -> None:
    if outcome.state == "failed":
        desk.metrics.failed(mail.template)
    write = _log.info if outcome.state == "sent" else _log.error
    write(
        f"mail {outcome.state}",
        lead_id=str(cause.lead_id),
        template=mail.template,
        recipient_role=mail.recipient_role,
        message_id=outcome.message_id,
        smtp_code=outcome.smtp_code,
        attempt=outcome.attempts,
    )


async def uninterrupted(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Do some work; a cancellation waits for its end for a few seconds, then cancels it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
        if not task.cancel() and not task.cancelled():
            task.exception()  # taken note of: the cancellation is what the caller hears of
        raise


def _code(reply: str) -> int | None:
    code = reply[:_CODE_DIGITS]
    return int(code) if code.isdigit() else None
