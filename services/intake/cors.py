"""Which pages' scripts may send the form: exactly the configured origins (Fetch standard)."""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiohttp import hdrs, web

from libs.chassis.web import route_template

PATH: Final = "/leads"
_EXPOSED: Final = "X-Request-Id, Leadlog-Position, Retry-After"
_ALLOWED_HEADERS: Final = "Content-Type, Idempotency-Key, X-Request-Id"
_PREFLIGHT_SECONDS: Final = "600"


def allow_origins(
    allowed: Collection[str],
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A response signal that lets the scripts of these origins read the answers.

    Without credentials: the form needs none, and none are accepted.
    """
    origins = frozenset(allowed)

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        if route_template(request) != PATH:
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN, "")
        if origin.lower() not in origins:
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    return add


async def preflight(_: web.Request) -> web.Response:
    """Answer a browser that asks first; the signal adds the origin when it is allowed."""
    return web.Response(
        status=204,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST",
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ALLOWED_HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
            hdrs.ALLOW: "POST, OPTIONS",
        },
    )
