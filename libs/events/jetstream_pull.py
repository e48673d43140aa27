"""Pulling messages from a consumer, many at a time, with the next request always on its way.

``fetch`` of nats-py makes a task and a timer for each message, and asks for more only when it
is called again. Here a message is four byte strings in a list until somebody looks at it, and
the server goes on sending while the last batch is worked on.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.chassis.nats_client import QuickClient, parse_headers

_NANOSECONDS: Final = 1_000_000_000
_VERSION_LINE: Final = b"NATS/1.0\r\n"
_STATUS: Final = b"NATS/1.0 "
_STATUS_END: Final = len(_STATUS) + 3
_PENDING: Final = "Nats-Pending-Messages"
_ENDED: Final = frozenset({b"404", b"408"})
"""A request has ended: nothing is there, or its time is over."""
_SIGN_OF_LIFE: Final = b"100"
_GRACE_SECONDS: Final = 1.0
_SHORT, _LONG = 9, 11
"""Tokens of an acknowledgement subject; the long form has domain and account, and may have more."""


class Refused(Exception):
    """The server says that the consumer is gone, or something else that asking cannot mend."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A message as it came.

    Attributes:
        number: the consumer's own running number.
        position: the stream sequence.
        pending: how many messages the server had not sent yet.
    """

    subject: str
    number: int
    position: int
    pending: int
    block: bytes | None
    payload: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, read now."""
        if not self.block:
            return {}
        return parse_headers(self.block.removeprefix(_VERSION_LINE))


class Pull:
    """A pull subscription.

    Args:
        client: the connection; a ``QuickClient`` is several times faster than another.
        subject: where requests go: the consumer's ``MSG.NEXT``.
        batch: messages in one request; there are never more than two requests open.
        expires: after so many seconds a request that got nothing ends.
    """

    def __init__(self, client: Client, subject: str, *, batch: int, expires: float) -> None:
        self._client = client
        self._subject = subject
        self._batch = batch
        self._expires = expires
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._messages: deque[Pulled] = deque()
        self._wanted = 0
        self._refused: Refused | None = None
        self._wake = asyncio.Event()

    async def open(self) -> None:
        """Listen for messages."""
        if isinstance(self._client, QuickClient):
            self._subscription = await self._client.deliver(self._inbox, self._take)
        else:
            self._subscription = await self._client.subscribe(self._inbox, cb=self._take_parsed)

    async def close(self) -> None:
        """Stop listening; the consumer stays."""
        if self._subscription is None:
            return
        if isinstance(self._client, QuickClient):
            self._client.forget(self._subscription)
        await self._subscription.unsubscribe()

    async def next(self) -> list[Pulled]:
        """As many messages as there are now, up to a batch; none when none came in time.

        Raises:
            Refused: the consumer is gone.
            nats.errors.Error: the connection is.
        """
        await self._ask()
        if not self._enough():
            await self._wait()
        taken = [self._messages.popleft() for _ in range(min(self._batch, len(self._messages)))]
        if not taken and self._refused is not None:
            raise self._refused
        # Before the batch is worked on: the server sends the next one meanwhile.
        await self._ask()
        return taken

    async def _ask(self) -> None:
        if self._refused is not None or self._wanted + len(self._messages) > self._batch:
            return
        self._wanted += self._batch
        request = {"batch": self._batch, "expires": int(self._expires * _NANOSECONDS)}
        await self._client.publish(self._subject, json.dumps(request).encode(), self._inbox)

    async def _wait(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(self._expires + _GRACE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            # No answer at all: the connection was away, and the requests with it.
            self._wanted = 0

    def _enough(self) -> bool:
        last = self._messages[-1] if self._messages else None
        return (
            self._refused is not None
            or len(self._messages) >= self._batch
            or (last is not None and (last.pending == 0 or self._wanted <= 0))
        )

    def _take(self, subject: bytes, reply: bytes, block: bytes | None, payload: bytes) -> None:
        if block is not None and block.startswith(_STATUS) and not reply:
            self._take_status(block)
            return
        place = _place(reply)
        if place is None:
            return  # no message of a consumer: somebody else wrote to the inbox
        self._wanted -= 1
        number, position, pending = place
        self._messages.append(
            Pulled(subject.decode("utf-8", "replace"), number, position, pending, block, payload)
        )
        if self._enough():
            self._wake.set()

    def _take_status(self, block: bytes) -> None:
        status = block[len(_STATUS) : _STATUS_END]
        if status == _SIGN_OF_LIFE:
            return
        if status in _ENDED:
            left = parse_headers(block[_STATUS_END:]).get(_PENDING, "")
            self._wanted -= int(left) if left.isdecimal() else self._batch
            self._wanted = max(0, self._wanted)
        else:
            text = block[len(_STATUS) : block.find(b"\r\n")].decode("utf-8", "replace")
            self._refused = Refused(text)
        self._wake.set()

    async def _take_parsed(self, message: Msg) -> None:
        """The same for a client that has parsed already."""
        headers = message.headers or {}
        first = b"NATS/1.0"
        if (status := headers.get("Status")) is not None:
            first += f" {status} {headers.get('Description', '')}".encode()
        lines = [f"{name}: {value}".encode() for name, value in headers.items()]
        block = b"\r\n".join([first, *lines, b"\r\n"])
        self._take(message.subject.encode(), message.reply.encode(), block, message.data)


def _place(reply: bytes) -> tuple[int, int, int] | None:
    """Consumer number, stream position and pending count from an acknowledgement subject."""
    tokens = reply.split(b".")
    if len(tokens) == _SHORT:
        _, _, _, _, _, position, number, _, pending = tokens
    elif len(tokens) >= _LONG:
        position, number, pending = tokens[7], tokens[8], tokens[10]
    else:
        return None
    try:
        return int(number), int(position), int(pending)
    except ValueError:
        return None
