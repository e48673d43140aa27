"""A durable consumer that many workers share: each event is handled at least once.

``max_deliver`` would drop a message quietly, so it is off: a message that fails too often is
written to the dead letters first and terminated only after that is acknowledged.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, cast

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.tasks import still_wanted
from libs.events.backoff import full_jitter
from libs.events.dead_letters import DeadLetters
from libs.events.envelope import RecordedEvent, Undecodable, decode
from libs.events.store import ConsumeOptions, Handler, RetryLater
from libs.events.subjects import STREAM, Part, filters_of
from libs.events.upcast import UnknownEvent

Skip = Callable[[str, int, str], None]

_FETCH_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.5
_UNKNOWN_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)


async def consume(
    js: JetStreamContext,
    dead_letters: DeadLetters,
    skip: Skip,
    name: str,
    parts: Collection[Part],
    handler: Handler,
    options: ConsumeOptions,
) -> None:
    """See ``EventStore.consume``."""
    worker = _Worker(js, dead_letters, skip, name, handler, options)
    try:
        while True:
            still_wanted()
            try:
                subscription = await _bind(js, name, parts, options)
                await worker.work(subscription)
            except (APIError, nats.errors.Error, TimeoutError) as error:
                # The consumer or its leader is away, or the connection is.
                _log.warning("consumer waits", consumer=name, reason=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await worker.drain()


async def _bind(
    js: JetStreamContext, name: str, parts: Collection[Part], options: ConsumeOptions
) -> JetStreamContext.PullSubscription:
    # add_consumer creates or updates; pull_subscribe alone would never apply a change.
    filters = filters_of(parts)
    one = filters[0] if len(filters) == 1 else None
    config = ConsumerConfig(
        # With the name alone nats-py asks on a subject that tells no filter, so that a
        # permission could not either.
        name=name,
        durable_name=name,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=options.ack_wait_seconds,
        max_deliver=-1,
        # Messages that wait for their retry count as pending: a limit would let them
        # hold up everything behind them.
        max_ack_pending=-1,
        filter_subject=one,
        filter_subjects=None if one else filters,
    )
    await js.add_consumer(STREAM, config)
    return await js.pull_subscribe_bind(consumer=name, stream=STREAM)


class _Worker:
    def __init__(
        self,
        js: JetStreamContext,
        dead_letters: DeadLetters,
        skip: Skip,
        name: str,
        handler: Handler,
        options: ConsumeOptions,
    ) -> None:
        self._js = js
        self._dead_letters = dead_letters
        self._skip = skip
        self._name = name
        self._handler = handler
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()
        self._hands = asyncio.Semaphore(options.concurrency)
        # A fetch takes many times as long as usual while the stream is busy with writes; no
        # hand should be idle meanwhile. With one hand nothing is taken in advance.
        self._ahead = options.concurrency // 2
        self._waiting: set[asyncio.Task[None]] = set()
        self._failures: dict[int, int] = {}
        """How often this worker's handler has failed, by position, until it is settled."""

    async def work(self, subscription: JetStreamContext.PullSubscription) -> None:
        """Fetch messages for all hands and some in advance; until cancelled or an error."""
        try:
            while True:
                still_wanted()
                while self._room() < max(1, self._ahead // 2):  # not a fetch for each message
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for message in await self._fetch(subscription):
                    self._start(message)
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _room(self) -> int:
        return self._options.concurrency + self._ahead - len(self._tasks)

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        fetching = asyncio.create_task(_fetch_some(subscription, self._room()))
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            # Messages that arrive just now go back at once instead of after ack_wait.
            with suppress(APIError, nats.errors.Error):
                for message in await fetching:
                    await message.nak()
            raise

    def _start(self, message: Msg) -> None:
        task = asyncio.create_task(self._process(message))
        self._tasks.add(task)
        self._waiting.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._waiting.discard(task)

    async def drain(self) -> None:
        """Let the handlers finish for a while, then cancel the rest; give back what waits."""
        await asyncio.sleep(0)  # a task that has not begun when it is cancelled gives nothing back
        for task in list(self._waiting):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._options.drain_seconds)
        rest = list(self._tasks)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _process(self, message: Msg) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        heartbeat = asyncio.create_task(self._keep_alive(message))
        try:
            async with self._hands:
                self._waiting.discard(task)
                await self._handle(message)
        except asyncio.CancelledError:
            await _reply(message.nak())
            raise
        except Exception:  # noqa: BLE001 - a worker's last line: the message comes back, the worker stays
            _log.exception("a message could not be settled", consumer=self._name)
            await _reply(message.nak(delay=self._options.backoff_cap_seconds))
        finally:
            heartbeat.cancel()

    async def _keep_alive(self, message: Msg) -> None:
        while True:
            await asyncio.sleep(self._options.ack_wait_seconds / 3)
            await _reply(message.in_progress())

    async def _handle(self, message: Msg) -> None:
        metadata = message.metadata
        position, attempt = metadata.sequence.stream, metadata.num_delivered
        try:
            event = decode(message.subject, message.headers, message.data, position)
        except UnknownEvent as unknown:
            # A newer program wrote it, and may mean work that only a newer worker can do: it
            # stays until one comes.
            if attempt == 1:
                self._skip("unknown", position, str(unknown))
            await _reply(message.nak(delay=_UNKNOWN_SECONDS))
        except Undecodable as broken:
            self._skip("undecodable", position, str(broken))
            await self._give_up(message, position, str(broken))
        else:
            await self._attempt(message, event, attempt)

    async def _attempt(self, message: Msg, event: RecordedEvent, attempt: int) -> None:
        options = self._options
        try:
            await self._handler(event, attempt)
        except RetryLater as later:
            await _reply(message.nak(delay=later.delay_seconds))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failure
            # Deliveries also count deferrals, which are no failures; so they are counted here.
            failures = self._failures[event.position] = self._failures.get(event.position, 0) + 1
            failure = f"{type(error).__name__} after {failures} failures"
            last = failures >= options.max_attempts
            _log.warning(
                "handler failed",
                consumer=self._name,
                position=event.position,
                event_type=event.event.type,
                attempt=attempt,
                error=type(error).__name__,
                gives_up=last,
            )
            if last and not isinstance(error, StoreUnavailable):
                await self._give_up(message, event.position, failure)
            else:
                cap = options.backoff_cap_seconds
                delay = full_jitter(failures, options.backoff_base_seconds, cap)
                await _reply(message.nak(delay=delay))
        else:
            self._failures.pop(event.position, None)
            await _reply(message.ack())

    async def _give_up(self, message: Msg, position: int, reason: str) -> None:
        headers = message.headers or {}
        try:
            await self._dead_letters.put_raw(
                self._name, message.subject, position, headers, message.data, reason
            )
        except StoreUnavailable:
            await _reply(message.nak(delay=self._options.backoff_cap_seconds))
        else:
            self._failures.pop(position, None)
            await _reply(message.term())


async def _fetch_some(subscription: JetStreamContext.PullSubscription, count: int) -> list[Msg]:
    try:
        return await subscription.fetch(count, timeout=_FETCH_SECONDS)
    except TimeoutError:
        return []


async def _reply(reply: Awaitable[None]) -> None:
    """Send an acknowledgement; if it does not get out, the message comes again."""
    with suppress(nats.errors.Error):
        await reply
