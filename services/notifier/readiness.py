"""Whether the notifier can do its work, and how far behind it is."""

import asyncio
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from libs.chassis.health import NotReady
from libs.chassis.tasks import still_wanted
from libs.events import STREAM
from libs.events.topology import DEAD_LETTERS, OUTBOX
from services.notifier.delivery import CONSUMER
from services.notifier.ledger import BUCKET
from services.notifier.metrics import MailMetrics
from services.notifier.outbox import DURABLE as OUTBOX_DURABLE
from services.notifier.smtp.pool import SmtpPool

LAG_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.5
_STREAMS: Final = {
    STREAM: f"the stream {STREAM}",
    DEAD_LETTERS: f"the stream {DEAD_LETTERS}",
    OUTBOX: f"the stream {OUTBOX}",
    f"KV_{BUCKET}": f"the bucket {BUCKET}",
}


async def check_streams(js: JetStreamContext) -> str | None:
    """Pass when the streams and the ledger's bucket exist.

    Raises:
        NotReady: one does not, or JetStream does not answer.
    """
    there = await asyncio.gather(*(_exists(js, name) for name in _STREAMS))
    missing = [text for text, found in zip(_STREAMS.values(), there, strict=True) if not found]
    if missing:
        raise NotReady(f"missing: {', '.join(missing)}; `leadlog provision` makes them")
    return "streams and bucket are there"


async def wait_for_streams(js: JetStreamContext) -> None:
    """Wait until they exist: without a ledger no mail may go out."""
    while True:
        still_wanted()
        try:
            await check_streams(js)
        except NotReady:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


async def check_consumer(js: JetStreamContext) -> str | None:
    """Pass when the shared consumer exists.

    Raises:
        NotReady: it does not, or JetStream does not answer.
    """
    try:
        info = await js.consumer_info(STREAM, CONSUMER)
    except NotFoundError:
        raise NotReady(f"the consumer {CONSUMER} does not exist yet") from None
    except (nats.errors.Error, TimeoutError):
        raise NotReady("JetStream does not answer") from None
    return f"{info.num_pending or 0} events to take up, {info.num_ack_pending or 0} in hand"


async def check_outbox(js: JetStreamContext) -> str | None:
    """Pass when the consumer of the mails about accounts exists.

    Raises:
        NotReady: it does not, or JetStream does not answer.
    """
    try:
        info = await js.consumer_info(OUTBOX, OUTBOX_DURABLE)
    except NotFoundError:
        raise NotReady(f"the consumer {OUTBOX_DURABLE} does not exist yet") from None
    except (nats.errors.Error, TimeoutError):
        raise NotReady("JetStream does not answer") from None
    return f"{info.num_pending or 0} mails to take up, {info.num_ack_pending or 0} in hand"


async def mail_server_state(pool: SmtpPool) -> str | None:
    """Tell how the mail server is; it never makes this service not ready, since mails wait."""
    if pool.fault is not None:
        return f"mails wait: {pool.fault}"
    return "connected" if pool.connected else "not used yet"


async def watch_lag(js: JetStreamContext, metrics: MailMetrics) -> None:
    """Keep the gauges of the consumers' lag up to date; runs until cancelled."""
    while True:
        still_wanted()
        try:
            info = await js.consumer_info(STREAM, CONSUMER)
            outbox = await js.consumer_info(OUTBOX, OUTBOX_DURABLE)
        except (APIError, nats.errors.Error, TimeoutError):
            pass  # readiness tells of it
        else:
            metrics.lag(info.num_pending or 0, info.num_ack_pending or 0)
            metrics.outbox((outbox.num_pending or 0) + (outbox.num_ack_pending or 0))
        await asyncio.sleep(LAG_SECONDS)


async def _exists(js: JetStreamContext, name: str) -> bool:
    try:
        await js.stream_info(name)
    except NotFoundError:
        return False
    except (nats.errors.Error, TimeoutError):
        raise NotReady("JetStream does not answer") from None
    return True
