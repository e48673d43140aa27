"""Who is asking: every address but a named few needs a valid bearer token (RFC 6750)."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from libs.chassis.problems import Problem
from services.leads.auth.tokens import BadToken
from services.leads.keys import AUTH, IDENTITY

PUBLIC: Final = frozenset(
    {
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/style.css",
        "/.well-known/jwks.json",
        "/auth/token",
    }
)


@web.middleware
async def require_bearer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the request pass with its identity, or answer 401."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical in PUBLIC:  # no resource: aiohttp's 404 or 405
        return await handler(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("Send an access token: Authorization: Bearer <token>.")
    try:
        request[IDENTITY] = await request.app[AUTH].tokens.verify(token.strip())
    except BadToken as error:
        raise _unauthorized(
            f"The access token cannot be used: {error}.",
            f', error="invalid_token", error_description="{error}"',
        ) from None
    return await handler(request)


def _unauthorized(detail: str, attributes: str = "") -> Problem:
    challenge = f'Bearer realm="leadlog"{attributes}'
    return Problem(
        "unauthorized",
        "A valid access token is needed",
        401,
        detail,
        headers={"WWW-Authenticate": challenge},
    )
