"""What one does to one's own login: end it, change the password; and the public keys."""

from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, Field

from libs.chassis.api import parse_json
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.auth import login
from services.leads.auth.login import Refused, SlowDown
from services.leads.auth.password_rules import MAX_LENGTH, MIN_LENGTH
from services.leads.keys import AUTH, PRINCIPAL
from services.leads.models import Strict
from services.leads.refusals import note_refusal
from services.leads.routes.api import api
from services.leads.routes.client import client_info
from services.leads.routes.notices import tell_owner
from services.leads.routes.responses import model_response


class PasswordChange(Strict):
    """A new password, and proof that it is oneself who asks."""

    current_password: str = Field(max_length=MAX_LENGTH)
    new_password: str = Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)


class JwkSet(BaseModel):
    """Public keys (RFC 7517)."""

    keys: list[dict[str, Any]]


_TOO_MANY: Final = 429


@api.operation(
    "POST",
    "/auth/logout",
    summary="Log out",
    description="Ends this login: its refresh token is worth nothing any more.",
    responses={204: None},
    security=True,
    tags=["login"],
)
async def log_out(request: web.Request) -> web.Response:
    """End the session that the access token came from."""
    session_id = request[PRINCIPAL].session_id
    if session_id is not None:
        auth = request.app[AUTH]
        await auth.sessions.end(session_id)
        auth.live.forget(session_id)
        await note(request, "session.ended", target=f"session:{session_id.rpartition('.')[2]}")
    return web.Response(status=204)


@api.operation(
    "POST",
    "/auth/password",
    summary="Change one's own password",
    description="Ends every other login of the account, and tells its owner by mail.",
    body=PasswordChange,
    responses={204: None},
    problems=(_TOO_MANY, 503),
    security=True,
    tags=["login"],
)
async def set_own_password(request: web.Request) -> web.Response:
    """Change the password."""
    change = await parse_json(request, PasswordChange)
    who = request[PRINCIPAL]
    own = f"account:{who.account_id}"
    try:
        account = await login.change_password(
            request.app[AUTH],
            who,
            change.current_password,
            change.new_password,
            client_info(request).address,
        )
    except Refused:
        await note(request, "account.password-changed", target=own, outcome="refused")
        raise Problem(
            "wrong-password",
            "The current password is another one",
            403,
            "Send your current password with the new one.",
        ) from None
    except SlowDown as slow:
        note_refusal(request, "account.password-changed", reason="slowed-down", target=own)
        raise Problem(
            "too-many-failures",
            "Too many wrong passwords",
            _TOO_MANY,
            f"Try again in {slow.seconds} s.",
            headers={"Retry-After": str(slow.seconds)},
        ) from None
    await tell_owner(request, account, "password-changed")  # also when it cannot be noted
    await note(request, "account.password-changed", target=own)
    return web.Response(status=204)


@api.operation(
    "GET",
    "/.well-known/jwks.json",
    summary="The keys that verify access tokens",
    responses={200: JwkSet},
    tags=["login"],
)
async def show_keys(request: web.Request) -> web.Response:
    """Answer the public keys."""
    keys = await request.app[AUTH].keys.published()
    return model_response(JwkSet(keys=keys), headers={"Cache-Control": "public, max-age=60"})
