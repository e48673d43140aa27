"""One's own logins: which there are, and ending them; an administrator ends anybody's."""

from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.api import Parameter, parse_form, path_uuid
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.auth import revoking
from services.leads.auth.accounts import AccountUnknown
from services.leads.auth.agents import in_words
from services.leads.auth.sessions import OpenSession
from services.leads.keys import AUTH, PRINCIPAL, now
from services.leads.routes.api import api
from services.leads.routes.recent import RECENT, me_just_proved
from services.leads.routes.responses import model_response

_SESSION_ID: Final = Parameter(
    "id", "From the list.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, location="path"
)


class SessionView(BaseModel):
    """A login."""

    id: str
    created_at: datetime
    last_used_at: datetime = Field(
        description="Within the lifetime of an access token: ten minutes, unless set otherwise."
    )
    expires_at: datetime
    address: str = Field(description="Where the login came from.")
    agent: str = Field(description="With what, for example `Firefox on Linux`.")
    methods: list[str] = Field(description="How it was proved who it is (RFC 8176).")
    current: bool = Field(description="True for the login that asks.")


class SessionList(BaseModel):
    """An account's logins, the last used one first."""

    items: list[SessionView]


class RevokeRequest(BaseModel):
    """The form of RFC 7009, section 2.1."""

    model_config = ConfigDict(hide_input_in_errors=True)

    token: str = Field(max_length=4096, description="A refresh token or an access token.")
    token_type_hint: str | None = Field(None, max_length=100, description="Not needed here.")


@api.operation(
    "GET",
    "/auth/sessions",
    summary="List one's own logins",
    responses={200: SessionList},
    security=True,
    tags=["login"],
)
async def list_sessions(request: web.Request) -> web.Response:
    """Answer the standing sessions of the account that asks."""
    who = request[PRINCIPAL]
    found = await revoking.sessions_of(request.app[AUTH], who.account_id, now())
    items = [_view(one, who.session_id) for one in found]
    return model_response(SessionList(items=items), headers={"Cache-Control": "no-store"})


@api.operation(
    "DELETE",
    "/auth/sessions",
    summary="End all of one's other logins",
    description="Their access tokens stop working within seconds.",
    responses={204: None},
    security=True,
    tags=["login"],
)
async def end_other_sessions(request: web.Request) -> web.Response:
    """End every session of the account but the one that asks."""
    who = request[PRINCIPAL]
    ended = await revoking.end_all(request.app[AUTH], who.account_id, now(), but=who.session_id)
    await note(request, "sessions.revoked", target=f"account:{who.account_id}", count=ended)
    return web.Response(status=204)


@api.operation(
    "DELETE",
    "/auth/sessions/{id}",
    summary="End one of one's own logins",
    description="Its access token stops working within seconds.",
    responses={204: None},
    problems=(404, 503),
    security=True,
    tags=["login"],
    parameters=[_SESSION_ID],
)
async def end_session(request: web.Request) -> web.Response:
    """End one session of the account that asks."""
    who, short_id = request[PRINCIPAL], request.match_info["id"]
    if not await revoking.end_one(request.app[AUTH], who.account_id, short_id, now()):
        raise Problem(
            "session-unknown", "There is no such login", 404, "Look at GET /auth/sessions."
        )
    await note(request, "session.revoked", target=f"account:{who.account_id}")
    return web.Response(status=204)


@api.operation(
    "DELETE",
    "/accounts/{id}/sessions",
    summary="End all logins of an account",
    description=f"Their access tokens stop working within seconds. {RECENT}",
    responses={204: None},
    problems=(404, 503),
    security=True,
    tags=["accounts"],
)
async def end_account_sessions(request: web.Request) -> web.Response:
    """End every session of an account, one's own included."""
    account_id = str(path_uuid(request, "id"))
    await me_just_proved(request)
    try:
        ended = await revoking.end_all(request.app[AUTH], account_id, now())
    except AccountUnknown:
        raise Problem(
            "account-unknown", "There is no such account", 404, "Check the account's id."
        ) from None
    await note(request, "sessions.revoked", target=f"account:{account_id}", count=ended)
    return web.Response(status=204)


@api.operation(
    "POST",
    "/auth/revoke",
    summary="End the login of a token",
    description=(
        "RFC 7009. Whoever has a token may end its login. The answer is the same for a token that"
        " is worth nothing."
    ),
    form=RevokeRequest,
    responses={200: None},
    tags=["login"],
)
async def revoke_token(request: web.Request) -> web.Response:
    """End the session of a refresh or access token."""
    form = await parse_form(request, RevokeRequest)
    if await revoking.end_by_token(request.app[AUTH], form.token):
        await note(request, "session.revoked")
    return web.Response(status=200, headers={"Cache-Control": "no-store"})


def _view(one: OpenSession, current: str | None) -> SessionView:
    session = one.session
    return SessionView(
        id=one.short_id,
        created_at=session.created_at,
        last_used_at=session.last_used,
        expires_at=session.expires_at,
        address=session.address,
        agent=in_words(session.agent),
        methods=list(session.methods),
        current=one.id == current,
    )
