"""Is the NATS connection alive? Asked by a round trip, since the client's own word is not enough.

An exception inside nats-py's read loop ends the loop but leaves a client that says it is
connected (nats.py pull request 914), so only an answered PING counts.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from nats.aio.client import Client

from libs.chassis.health import NotReady

EVERY_SECONDS = 2.0
ANSWER_SECONDS = 2.0
FAILURES_TO_RECONNECT = 3
# The probe's own timeout, which must not strike: nats-py cancels the future of a PING that
# timed out and then, when the PONG arrives late, fails on that future and ends its read loop
# (2.16, Client._process_pong). So a late probe is left waiting instead.
_NEVER_SECONDS = 24 * 3600

log = structlog.get_logger()


class Watchdog:
    """Asks for a round trip every two seconds; reconnects a dead connection.

    Attributes:
        connected: set once the first round trip has been answered.
    """

    def __init__(self, client: Client, give_up: Callable[[], None]) -> None:
        """Watch a client.

        Args:
            client: the client, connected or about to be.
            give_up: called when the client has closed for good; only a new process helps.
        """
        self.connected = asyncio.Event()
        self._client = client
        self._give_up = give_up
        self._failures = 0
        self._answered = False
        self._probe: asyncio.Task[float] | None = None
        self._stopped = False
        self._wake = asyncio.Event()

    async def check(self) -> str | None:
        """Readiness check: the last round trip was answered."""
        if not self._answered or not self._client.is_connected:
            msg = "no connection to the NATS server"
            raise NotReady(msg)
        return "connected"

    def stop(self) -> None:
        """A close that follows is wanted."""
        self._stopped = True

    def on_disconnected(self) -> bool:
        """The client lost its connection: the PING on the way will never be answered.

        Returns:
            Whether that was unexpected, not part of a wanted close.
        """
        self._answered = False
        self._drop_probe()
        return not self._stopped

    def on_reconnected(self) -> None:
        """The client is connected again: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled, or until the client has closed for good."""
        while not self._stopped:
            if self._client.is_closed or self._is_stuck():
                log.error("nats: the client has closed for good; the service must restart")
                self._answered = False
                self._give_up()
                return
            await self._beat()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), EVERY_SECONDS)

    async def _beat(self) -> None:
        if not self._client.is_connected:
            self._answered, self._failures = False, 0  # it knows, and is reconnecting
            return
        if await self._round_trip():
            self._answered, self._failures = True, 0
            self.connected.set()
            return
        self._answered = False
        self._failures += 1
        log.warning("nats: no answer to a ping", failures=self._failures)
        if self._failures >= FAILURES_TO_RECONNECT:
            self._failures = 0
            await self._client.force_reconnect()

    async def _round_trip(self) -> bool:
        """Send a PING, or go on waiting for the answer to the last one."""
        if self._probe is None:
            self._probe = asyncio.create_task(self._client.rtt(timeout=_NEVER_SECONDS))
        probe = self._probe
        await asyncio.wait({probe}, timeout=ANSWER_SECONDS)
        if not probe.done():
            return False
        self._probe = None
        return not probe.cancelled() and probe.exception() is None

    def _drop_probe(self) -> None:
        """Forget the probe; only safe while no read loop can still bring its answer."""
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def _is_stuck(self) -> bool:
        """Say whether the client is 'reconnecting' with nobody at it."""
        task = self._client._reconnection_task  # noqa: SLF001 - there is no public word for it
        return self._client.is_reconnecting and task is not None and task.done()
