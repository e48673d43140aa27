"""Reading the audit trail: from the stream itself, never from a copy."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from nats.js import JetStreamContext
from nats.js.api import StreamState
from nats.js.errors import NotFoundError

from libs.audit.entry import RecordedEntry, UnreadableEntry, decode
from libs.audit.search import BATCH, Descent, Search
from libs.chassis.errors import StoreUnavailable
from libs.chassis.jetstream import (
    ATTEMPT_SECONDS,
    StoredMessage,
    first_since,
    get_batch,
    with_retries,
)
from libs.events.topology import AUDIT

MOST_LOOKED_AT: Final = 10_000
"""Messages that one page costs at most, about a second; who wants more asks for the next page."""
_CLOCKS_APART: Final = timedelta(minutes=5)
"""An entry's time is its writer's, the position of a time comes from the server's clock."""
_SERVER_TIMES: Final = (datetime(1971, 1, 1, tzinfo=UTC), datetime(2261, 1, 1, tzinfo=UTC))

Fetch = Callable[[int], Awaitable[list[StoredMessage]]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Span:
    """Positions from the first to the last, both with it; nothing when the last is smaller."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first.

    Attributes:
        entries: those found.
        below: the rest is below this position; None when there is none.
    """

    entries: list[RecordedEntry]
    below: int | None


class AuditReader:
    """The stream AUDIT, to read from.

    Args:
        js: the connection.
    """

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context to its client

    async def page(self, search: Search, *, limit: int, below: int | None = None) -> AuditPage:
        """The newest entries that match, below a position.

        Raises:
            StoreUnavailable: JetStream does not answer.
        """
        span = await self.span(search)
        if below is not None:
            span = Span(span.first, min(span.last, below - 1))
        return await newest_first(self._from(search), search, span, limit=limit)

    async def oldest_first(
        self, search: Search, span: Span
    ) -> AsyncGenerator[list[RecordedEntry], None]:
        """The entries that match, batch by batch, each read when the one before was taken.

        Raises:
            StoreUnavailable: JetStream does not answer.
        """
        fetch, first = self._from(search), span.first
        while first <= span.last:
            messages = await fetch(first)
            if not messages:
                return
            yield list(wanted((m for m in messages if m.sequence <= span.last), search))
            first = messages[-1].sequence + 1

    async def span(self, search: Search) -> Span:
        """Where entries of the wanted time can be, as the stream is now.

        Raises:
            StoreUnavailable: JetStream does not answer.
        """
        state = await self._state()
        first, last = max(1, state.first_seq), state.last_seq
        if search.after is not None:
            first = max(first, await self._position(search.after, -_CLOCKS_APART, first, last + 1))
        if search.until is not None:
            last = min(last, await self._position(search.until, _CLOCKS_APART, first, last + 1) - 1)
        return Span(first, last)

    async def _position(self, time: datetime, apart: timedelta, first: int, end: int) -> int:
        """The first position that was written then or later."""
        earliest, latest = _SERVER_TIMES
        if time < earliest:
            return first
        if time > latest:
            return end
        found = await first_since(self._client, AUDIT, time + apart)
        return end if found is None else found

    def _from(self, search: Search) -> Fetch:
        async def fetch(first: int) -> list[StoredMessage]:
            return await get_batch(
                self._client, AUDIT, search.subjects, first=first, batch=BATCH, pages=1
            )

        return fetch

    async def _state(self) -> StreamState:
        async def attempt() -> StreamState:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return (await self._js.stream_info(AUDIT)).state

        try:
            return await with_retries(self._client, attempt)
        except NotFoundError:
            raise StoreUnavailable(
                f"there is no stream {AUDIT}; `leadlog provision` makes it"
            ) from None


async def newest_first(
    fetch: Fetch, search: Search, span: Span, *, limit: int, batch: int = BATCH
) -> AuditPage:
    """Look from the end of a span downwards until there are enough, or it cost enough.

    Args:
        fetch: the next ``batch`` messages that the search's subject filter lets pass, from a
            position on.
        search: which entries.
        span: where.
        limit: so many entries at most; 1 or more.
        batch: how many messages ``fetch`` answers at most.
    """
    descent, found = Descent(span.first, span.last, batch), list[RecordedEntry]()
    while not descent.done and len(found) < limit and descent.looked_at < MOST_LOOKED_AT:
        found += wanted(descent.take(await fetch(descent.start)), search)
    if len(found) > limit:
        return AuditPage(found[:limit], found[limit - 1].position)
    return AuditPage(found, None if descent.done else descent.newest + 1)


def wanted(messages: Iterable[StoredMessage], search: Search) -> Iterable[RecordedEntry]:
    """The entries in messages that a search means; `leadlog verify` names what is no entry."""
    for message in messages:
        try:
            entry = decode(message.data, message.sequence)
        except UnreadableEntry:
            log.warning("an audit entry cannot be read", position=message.sequence)
            continue
        if search.matches(entry):
            yield entry
