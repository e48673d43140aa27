"""Taking up orders to work a dead letter off again; all replicas share them."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from libs.events.letter_store import Letters
from libs.events.letters import Order, orders_for, parse_order
from libs.events.topology import DEAD_LETTERS
from services.notifier.delivery import CONSUMER
from services.notifier.queue import work_off

DURABLE: Final = f"{CONSUMER}-redrive"
_log = structlog.get_logger(__name__)

OrderHandler = Callable[[Order, int], Awaitable[None]]
"""Takes an order and the number of this attempt, from 1; raises RetryLater."""


async def take_orders(js: JetStreamContext, letters: Letters, handle: OrderHandler) -> None:
    """Work off orders until cancelled; each is erased when it is done with."""

    async def settle(message: Msg) -> None:
        metadata = message.metadata
        try:
            order = parse_order(message.subject, message.data)
        except ValueError:
            _log.warning("an order that cannot be read is thrown away")
        else:
            await handle(order, metadata.num_delivered)
        await letters.erase(metadata.sequence.stream)

    await work_off(js, DEAD_LETTERS, DURABLE, orders_for(CONSUMER), settle)
