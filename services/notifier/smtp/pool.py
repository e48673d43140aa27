"""A few connections to the SMTP server, kept open and used again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Final, Self

import structlog

from services.notifier.composing import Letter
from services.notifier.smtp.answers import DeliveryError, Misconfigured
from services.notifier.smtp.connection import Connection, Server, Stale

_CHECK_AFTER: Final = 5.0
_CHECK_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: Connection
    since: float


class SmtpPool:
    """At most so many connections; each takes one mail after the other.

    A connection that was idle for more than ``check_after`` seconds is asked (NOOP) before it
    is used; one that was idle for ``idle`` seconds is closed.

    Attributes:
        fault: why the last attempt to connect failed, None after one that worked. It holds no
            personal data.
    """

    def __init__(
        self,
        server: Server,
        *,
        connections: int = 4,
        idle: float = _IDLE_SECONDS,
        check_after: float = _CHECK_AFTER,
        on_state: Callable[[DeliveryError | None], None] = lambda _fault: None,
    ) -> None:
        self._server = server
        self._tls_context = server.tls_context()
        self._slots = asyncio.Semaphore(connections)
        self._kept: list[_Kept] = []
        self._idle = idle
        self._check_after = check_after
        self._on_state = on_state
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False
        self.fault: DeliveryError | None = None
        self.connected = False

    async def __aenter__(self) -> Self:
        self._sweeper = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def send(self, letter: Letter) -> str:
        """Send a letter on the first connection that is free; the server's reply.

        Raises:
            Refused: never, for this recipient or this content.
            Deferred: not now; Misconfigured if an operator has to act.
        """
        async with self._slots:
            try:
                reply = await self._send_on(await self._take(), letter)
            except Stale:
                reply = await self._send_on(await self._open(), letter)
        self._report(None)
        return reply

    async def try_out(self) -> None:
        """Connect once, so that wrong settings show at start and not with the first lead."""
        async with self._slots:
            with suppress(DeliveryError):  # it is in ``fault`` and has been logged
                await self._give_back(await self._take())

    async def close(self) -> None:
        """Say goodbye on every idle connection; those in use are closed after their mail."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        kept, self._kept = self._kept, []
        await asyncio.gather(*(one.connection.close() for one in kept))

    async def _send_on(self, connection: Connection, letter: Letter) -> str:
        try:
            return await connection.send(letter)
        except Misconfigured as fault:
            self._report(fault)
            raise
        finally:
            if connection.usable:
                await self._give_back(connection)

    async def _give_back(self, connection: Connection) -> None:
        if self._closed:
            await connection.close()
        else:
            self._kept.append(_Kept(connection, monotonic()))

    async def _take(self) -> Connection:
        while self._kept:
            kept = self._kept.pop()  # the one used last: the others may grow idle and close
            if not kept.connection.usable:
                continue
            fresh = monotonic() - kept.since < self._check_after
            if fresh or await kept.connection.alive(min(_CHECK_SECONDS, self._server.timeout)):
                return kept.connection
        return await self._open()

    async def _open(self) -> Connection:
        try:
            connection = await Connection.open(self._server, self._tls_context)
        except DeliveryError as fault:
            self._report(fault)
            raise
        if not self.connected:
            self._report(None)
        return connection

    def _report(self, fault: DeliveryError | None) -> None:
        # Said once for each change, not once for each mail that waits.
        if str(fault or "") != str(self.fault or "") or (fault is None and not self.connected):
            self._say(fault)
        if fault is not None or self.fault is not None or not self.connected:
            self._on_state(fault)
        self.connected = fault is None
        self.fault = fault

    def _say(self, fault: DeliveryError | None) -> None:
        server = f"{self._server.host}:{self._server.port}"
        if fault is None:
            _log.info("mail server connected", server=server, tls=self._server.tls)
        elif isinstance(fault, Misconfigured):
            _log.error(
                "the mail server refuses our settings; mails wait until they are put right",
                server=server,
                stage=fault.stage.value,
                smtp_code=fault.code,
                reply=fault.reply,
            )
        else:
            _log.warning(
                "the mail server cannot be reached; mails wait",
                server=server,
                stage=fault.stage.value,
                smtp_code=fault.code,
                reply=fault.reply,
            )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._idle / 2)
            oldest = monotonic() - self._idle
            idle = [kept for kept in self._kept if kept.since < oldest]
            self._kept = [kept for kept in self._kept if kept.since >= oldest]
            await asyncio.gather(*(kept.connection.close() for kept in idle))
