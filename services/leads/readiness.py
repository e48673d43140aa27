"""What must be there before this replica takes requests."""

import asyncio
from typing import Final

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from libs.chassis.health import NotReady
from libs.events import STREAM
from libs.events.topology import AUDIT, OUTBOX
from services.leads.auth.accounts import ACCOUNTS
from services.leads.auth.sessions import SESSIONS
from services.leads.auth.signing_keys import SIGNING_KEYS
from services.leads.projection.gate import PositionGate

_STREAMS: Final = (
    STREAM,
    "OBJ_RESUMES",
    AUDIT,
    OUTBOX,
    *(f"KV_{bucket}" for bucket in (ACCOUNTS, SESSIONS, SIGNING_KEYS)),
)


async def check_streams(js: JetStreamContext) -> str | None:
    """Pass when the streams, the buckets and the object store exist.

    Raises:
        NotReady: Some do not, or the server does not answer.
    """
    exists = await asyncio.gather(*(_exists(js, name) for name in _STREAMS))
    missing = [name for name, there in zip(_STREAMS, exists, strict=True) if not there]
    if missing:
        raise NotReady(f"missing: {', '.join(missing)}; run `leadlog provision`")
    return None


async def check_projection(gate: PositionGate) -> str | None:
    """Pass once the projection has been level with the log.

    Raises:
        NotReady: It is still reading.
    """
    if not gate.ready:
        raise NotReady(f"still reading the log, at position {gate.position}")
    return f"at position {gate.position}"


async def _exists(js: JetStreamContext, name: str) -> bool:
    try:
        await js.stream_info(name)
    except NotFoundError:
        return False
    except (NatsError, TimeoutError) as error:
        raise NotReady(f"JetStream does not answer ({type(error).__name__})") from None
    return True
