"""nats-py's client, with a quick way in for very many messages.

A replay reads millions of messages. For each one nats-py makes an object, a task and a timer,
and goes through ten headers character by character: together four fifths of the time of a
replay. `deliver` hands messages over as they came, before any of that.

A request of nats-py goes through a queue, a task and `wait_for` on its way back, and spells
out a random name of 26 characters for its answer. Here an answer goes straight to whoever waits,
and names are counted: the part before them is random already.

This overrides methods that nats-py 2.16 does not call public; tests hold them to what the
methods of `Client` do.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext

Deliver = Callable[[bytes, bytes, bytes | None, bytes], None]
"""Takes subject, reply subject, header block and payload of a message; must not raise."""

HOME_API: Final = "$JS.API"
"""Where JetStream's API is in the account that the streams belong to."""
_BLANKS = " \t\n\r\x0b\f"
_MANY = 1000
_names: dict[str, str | None] = {}
"""Header names seen so far and what they are without blanks; None for one that is no name."""


def parse_headers(block: bytes) -> dict[str, str]:
    """Read the lines of a header block, as nats-py does and some times faster."""
    headers = {}
    for line in block.decode("utf-8", "replace").split("\r\n"):
        written, colon, value = line.partition(":")
        if colon and (name := _names.get(written) or _name(written)) is not None:
            headers[name] = value.strip(_BLANKS)
    return headers


def _name(written: str) -> str | None:
    name = written.strip(_BLANKS)
    good = name if name.isascii() and not any(char.isspace() for char in name) else None
    if len(_names) < _MANY:
        _names[written] = good
    return good


class QuickClient(Client):
    """A client that can hand messages over unparsed."""

    def __init__(self, api: str = HOME_API) -> None:
        """Make a client that is not connected yet.

        Args:
            api: where JetStream's API is, seen from the account that it will log in to.
        """
        super().__init__()
        self.api = api
        self._deliver: dict[int, Deliver] = {}
        self._answers = 0
        """The subscription that the answers to all requests come by."""
        self._asked = 0

    def jetstream(self, **options: Any) -> JetStreamContext:
        """A JetStream context that asks where this client's API is."""
        return super().jetstream(**{"prefix": self.api, **options})

    async def deliver(self, subject: str, to: Deliver) -> Subscription:
        """Subscribe; every message goes straight to a function, from within the read loop."""
        subscription = await self.subscribe(subject)
        self._deliver[subscription._id] = to  # noqa: SLF001 - as the module says
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Stop handing over; the subscription itself is ended by its own means."""
        self._deliver.pop(subscription._id, None)  # noqa: SLF001 - as the module says

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        return parse_headers(raw)

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any
    ) -> None:
        if sid == self._answers and not headers:
            self.stats["in_msgs"] += 1
            self.stats["in_bytes"] += len(data)
            self._answer(subject.decode(), data)
            return
        deliver = self._deliver.get(sid)
        if deliver is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        deliver(subject, reply, headers, data)

    async def _init_request_sub(self) -> None:
        await super()._init_request_sub()
        # Others may have subscribed meanwhile; nobody else has this callback.
        own = (n for n, sub in self._subs.items() if sub._cb == self._request_sub_callback)  # noqa: SLF001 - as the module says
        self._answers = max(own)

    def _answer(self, subject: str, data: bytes) -> None:
        waiting = self._resp_map.get(subject.rpartition(".")[2])
        if waiting is not None and not waiting.done():
            waiting.set_result(Msg(self, subject=subject, data=data))

    async def _request_new_style(
        self,
        subject: str,
        payload: bytes,
        timeout: float = 1,  # noqa: ASYNC109 - the library's own signature
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        if self.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        if not self._resp_sub_prefix:
            await self._init_request_sub()
        prefix = cast("bytearray", self._resp_sub_prefix).decode()
        self._asked += 1
        token = str(self._asked)
        loop = asyncio.get_running_loop()
        self._resp_map[token] = answer = loop.create_future()
        timer = loop.call_later(timeout, _too_late, answer)
        try:
            await self.publish(subject, payload, reply=f"{prefix}{token}", headers=headers)
            message: Msg = await answer
        finally:
            timer.cancel()
            self._resp_map.pop(token, None)
        return message


def _too_late(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())


def api_of(client: Client) -> str:
    """Where JetStream's API is for a client."""
    return client.api if isinstance(client, QuickClient) else HOME_API


__all__ = ["HOME_API", "Deliver", "Msg", "QuickClient", "api_of", "parse_headers"]
