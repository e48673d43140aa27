"""The one place that decides who may call what (RFC 6750): deny by default."""

from collections.abc import Iterable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from libs.chassis.operations import Operation
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.auth import key_text
from services.leads.auth.key_text import PREFIX
from services.leads.auth.parts import Auth
from services.leads.auth.permissions import Permission, permissions_by_route
from services.leads.auth.principal import Principal
from services.leads.auth.tokens import BadToken, TokenExpired
from services.leads.keys import AUTH, PRINCIPAL, now
from services.leads.lead import LeadUnknown
from services.leads.refusals import note_refusal
from services.leads.routes.join_page import JOIN_PATHS

UNLISTED: Final = JOIN_PATHS | {
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/docs/style.css",
}
"""Open addresses that no API document lists: what the chassis adds, and pages for people."""


def require_permission(operations: Iterable[Operation]) -> Middleware:
    """Return the middleware that lets a request pass with its principal, or answers 401 or 403.

    Raises:
        TableIncomplete: The table of permissions does not fit the operations.
    """
    operations = list(operations)
    needed_by = permissions_by_route(operations)
    open_routes = {(one.method, one.path) for one in operations if not one.security}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None or resource.canonical in UNLISTED:  # no resource: a 404 or 405
            return await handler(request)
        method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
        route = (method, resource.canonical)
        if route in open_routes:
            return await handler(request)
        principal = await _principal(request)
        needed = needed_by.get(route)
        request[PRINCIPAL] = principal
        if needed is None or not principal.may(needed):
            await note(request, "access.refused", outcome="refused", needed=str(needed))
            raise _forbidden(needed)
        try:
            return await handler(request)
        except LeadUnknown:
            # Nobody is told whether there is such a lead, so both are noted alike.
            lead = f"lead:{request.match_info['id'].lower()}"
            note_refusal(request, "lead.not-found", reason="unknown or hidden", target=lead)
            raise

    return guard


async def _principal(request: web.Request) -> Principal:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("Send an access token: Authorization: Bearer <token>.")
    auth, token = request.app[AUTH], token.strip()
    try:
        if token.startswith(PREFIX):
            return await _of_api_key(auth, token)
        return await _of_access_token(auth, token)
    except BadToken as error:
        if not isinstance(error, TokenExpired):  # every client has one each ten minutes
            note_refusal(request, "access.token-refused", reason=str(error), target=error.about)
        raise _unauthorized(
            f"The access token cannot be used: {error}.",
            f', error="invalid_token", error_description="{error}"',
        ) from None


async def _of_access_token(auth: Auth, token: str) -> Principal:
    identity = await auth.tokens.verify(token)
    principal = await auth.live.principal(identity, now())
    if principal is None:
        raise BadToken("its session is over", f"account:{identity.account_id}")
    return principal


async def _of_api_key(auth: Auth, text: str) -> Principal:
    principal = await auth.live_keys.principal(text, now())
    if principal is None:
        shown = key_text.read(text)  # only what it says it is: nobody has proved it
        about = None if shown is None else f"api-key:{shown.key_id}"
        raise BadToken("it is no API key that is valid now", about)
    return principal


def _unauthorized(detail: str, attributes: str = "") -> Problem:
    challenge = f'Bearer realm="leadlog"{attributes}'
    return Problem(
        "unauthorized",
        "A valid access token is needed",
        401,
        detail,
        headers={"WWW-Authenticate": challenge},
    )


def _forbidden(needed: Permission | None) -> Problem:
    what = f"It needs the permission {needed}. " if needed else ""
    return Problem(
        "forbidden",
        "This account may not do that",
        403,
        f"{what}Ask an administrator, if you should have it.",
    )
