"""Taking up orders to work a dead letter off again; all replicas share them."""

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
from libs.events.letter_store import Letters
from libs.events.letters import Order, orders_for, parse_order
from libs.events.topology import DEAD_LETTERS
from services.notifier.delivery import CONSUMER

DURABLE: Final = f"{CONSUMER}-redrive"
_AT_ONCE: Final = 8
_FETCH_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.5
_ACK_WAIT_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)

OrderHandler = Callable[[Order, int], Awaitable[None]]
"""Takes an order and the number of this attempt, from 1; raises RetryLater."""


async def take_orders(js: JetStreamContext, letters: Letters, handle: OrderHandler) -> None:
    """Work off orders until cancelled; each is erased when it is done with."""
    while True:
        still_wanted()
        try:
            subscription = await _bind(js)
            try:
                while True:
                    still_wanted()
                    messages = await _fetch(subscription)
                    async with asyncio.TaskGroup() as group:
                        for message in messages:
                            group.create_task(_process(letters, handle, message))
            finally:
                with suppress(nats.errors.Error):
                    await subscription.unsubscribe()
        except (APIError, nats.errors.Error, TimeoutError) as error:
            _log.warning("consumer waits", consumer=DURABLE, reason=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _bind(js: JetStreamContext) -> JetStreamContext.PullSubscription:
    config = ConsumerConfig(
        durable_name=DURABLE,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=_ACK_WAIT_SECONDS,
        max_deliver=-1,
        filter_subject=orders_for(CONSUMER),
    )
    await js.add_consumer(DEAD_LETTERS, config)
    return await js.pull_subscribe_bind(consumer=DURABLE, stream=DEAD_LETTERS)


async def _fetch(subscription: JetStreamContext.PullSubscription) -> list[Msg]:
    try:
        return await subscription.fetch(_AT_ONCE, timeout=_FETCH_SECONDS)
    except TimeoutError:
        return []


async def _process(letters: Letters, handle: OrderHandler, message: Msg) -> None:
    heartbeat = asyncio.create_task(_keep_alive(message))
    try:
        await _settle(letters, handle, message)
    except RetryLater as later:
        await _reply(message.nak(delay=later.delay_seconds))
    except asyncio.CancelledError:
        await _reply(message.nak())
        raise
    except Exception as error:  # noqa: BLE001 - one order's trouble must not stop the others
        if not isinstance(error, StoreUnavailable):
            _log.exception("a redrive could not be settled")
        await _reply(message.nak(delay=_RETRY_SECONDS))
    finally:
        heartbeat.cancel()


async def _settle(letters: Letters, handle: OrderHandler, message: Msg) -> None:
    metadata = message.metadata
    try:
        order = parse_order(message.subject, message.data)
    except ValueError:
        _log.warning("an order that cannot be read is thrown away")
    else:
        await handle(order, metadata.num_delivered)
    await letters.erase(metadata.sequence.stream)
    await _reply(message.ack())


async def _keep_alive(message: Msg) -> None:
    while True:
        await asyncio.sleep(_ACK_WAIT_SECONDS / 3)
        await _reply(message.in_progress())


async def _reply(reply: Awaitable[None]) -> None:
    """Send an acknowledgement; if it does not get out, the order comes again."""
    with suppress(nats.errors.Error):
        await reply
