"""Which stream this is: a position means something in one stream only."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.js import JetStreamContext

from libs.chassis.errors import StoreUnavailable
from libs.events import STREAM


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """A stream as it stands.

    Attributes:
        created: When it was created, as the server writes it; a new one has another time.
        last: The position of its newest message.
    """

    created: str
    last: int


IdentityReader = Callable[[], Awaitable[StreamIdentity]]


async def read_identity(js: JetStreamContext) -> StreamIdentity:
    """Ask the server which stream it has.

    Raises:
        StoreUnavailable: It did not answer, or has no such stream.
    """
    try:
        info = await js.stream_info(STREAM)
    except Exception as error:  # nats-py raises a dozen types, and OSError, for "not now"
        raise StoreUnavailable(f"stream {STREAM}: {type(error).__name__}") from error
    return StreamIdentity(str(info.created), info.state.last_seq)
