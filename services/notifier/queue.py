"""Working off the messages of a durable consumer that replicas share, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from libs.chassis.tasks import still_wanted
from libs.events import RetryLater, StoreUnavailable

_AT_ONCE: Final = 8
_FETCH_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.5
_ACK_WAIT_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)

Settle = Callable[[Msg], Awaitable[None]]
"""Brings a message to its end, or raises RetryLater; then it is acknowledged."""


async def work_off(
    js: JetStreamContext, stream: str, durable: str, subjects: str, settle: Settle
) -> None:
    """Work off messages until cancelled; each comes back until it is settled."""
    while True:
        still_wanted()
        try:
            subscription = await _bind(js, stream, durable, subjects)
            try:
                while True:
                    still_wanted()
                    messages = await _fetch(subscription)
                    async with asyncio.TaskGroup() as group:
                        for message in messages:
                            group.create_task(_process(durable, settle, message))
            finally:
                with suppress(nats.errors.Error):
                    await subscription.unsubscribe()
        except (APIError, nats.errors.Error, TimeoutError) as error:
            _log.warning("consumer waits", consumer=durable, reason=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _bind(
    js: JetStreamContext, stream: str, durable: str, subjects: str
) -> JetStreamContext.PullSubscription:
    config = ConsumerConfig(
        name=durable,
        durable_name=durable,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=_ACK_WAIT_SECONDS,
        max_deliver=-1,
        filter_subject=subjects,
    )
    await js.add_consumer(stream, config)
    return await js.pull_subscribe_bind(consumer=durable, stream=stream)


async def _fetch(subscription: JetStreamContext.PullSubscription) -> list[Msg]:
    try:
        return await subscription.fetch(_AT_ONCE, timeout=_FETCH_SECONDS)
    except TimeoutError:
        return []


async def _process(durable: str, settle: Settle, message: Msg) -> None:
    heartbeat = asyncio.create_task(_keep_alive(message))
    try:
        await settle(message)
    except RetryLater as later:
        await _reply(message.nak(delay=later.delay_seconds))
    except asyncio.CancelledError:
        await _reply(message.nak())
        raise
    except Exception as error:  # noqa: BLE001 - one message's trouble must not stop the others
        if not isinstance(error, StoreUnavailable):
            _log.exception("a message could not be settled", consumer=durable)
        await _reply(message.nak(delay=_RETRY_SECONDS))
    else:
        await _reply(message.ack())
    finally:
        heartbeat.cancel()


async def _keep_alive(message: Msg) -> None:
    while True:
        await asyncio.sleep(_ACK_WAIT_SECONDS / 3)
        await _reply(message.in_progress())


async def _reply(reply: Awaitable[None]) -> None:
    """Send an acknowledgement; if it does not get out, the message comes again."""
    with suppress(nats.errors.Error):
        await reply
