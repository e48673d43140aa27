"""Whether the parts of JetStream that intake needs are there."""

import asyncio
from typing import Final

import nats.errors
from aiohttp import web
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from libs.chassis.health import HEALTH, NotReady
from libs.chassis.nats import JETSTREAM

_NEEDED: Final = {
    "LEADS": "the stream LEADS",
    "OBJ_RESUMES": "the object store RESUMES",
    "KV_IDEMPOTENCY": "the bucket IDEMPOTENCY",
}


def add_storage_check(app: web.Application) -> None:
    """Make ``/readyz`` name what is missing in JetStream."""

    async def check() -> str | None:
        missing = [
            name
            for name in await asyncio.gather(*(_find(app[JETSTREAM], n) for n in _NEEDED))
            if name
        ]
        if missing:
            raise NotReady(f"missing: {', '.join(missing)}; `leadlog provision` makes them")
        return "stream, object store and bucket are there"

    app[HEALTH].add("storage", check)


async def _find(js: JetStreamContext, stream: str) -> str | None:
    """The plain name of what is missing, or None."""
    try:
        await js.stream_info(stream)
    except NotFoundError:
        return _NEEDED[stream]
    except (nats.errors.Error, TimeoutError):
        raise NotReady("JetStream does not answer") from None
    return None
