"""nats-py's client, with a quick way in for very many messages.

A replay reads millions of messages. For each one nats-py makes an object, a task and a timer,
and goes through ten headers character by character: together four fifths of the time of a
replay. `deliver` hands messages over as they came, before any of that.

This overrides two methods that nats-py 2.16 does not call public; tests hold both to what the
methods of `Client` do.
"""

from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

Deliver = Callable[[bytes, bytes, bytes | None, bytes], None]
"""Takes subject, reply subject, header block and payload of a message; must not raise."""

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

    def __init__(self) -> None:
        super().__init__()
        self._deliver: dict[int, Deliver] = {}

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
        deliver = self._deliver.get(sid)
        if deliver is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        deliver(subject, reply, headers, data)


__all__ = ["Deliver", "Msg", "QuickClient", "parse_headers"]
