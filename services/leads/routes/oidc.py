"""Signing in with the firm's identity provider: there, back, and what the browser gets."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.api import ResponseSpec, parse_json, parse_query
from libs.chassis.operations import Header
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.auth.login import Tokens, start_session
from services.leads.auth.oidc import flow
from services.leads.auth.oidc.flow import SignInRefused
from services.leads.auth.oidc.provider import ProviderAway
from services.leads.auth.oidc.sign_in import CodeReused, Oidc, SignedIn, Ticket
from services.leads.keys import AUTH, now
from services.leads.models import Strict
from services.leads.routes.api import api
from services.leads.routes.client import client_info
from services.leads.routes.notices import tell_owner
from services.leads.routes.token import TokenAnswer

OIDC: Final = web.AppKey("oidc", Oidc)
_COOKIE: Final = "leadlog_oidc"
_PATH: Final = "/auth/oidc"
_MAX: Final = 4096
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_LOCATION: Final = {"Location": Header("Where the browser goes.")}
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
"""When somebody proved who they are, if the provider does not say: not lately."""


class Begin(Strict):
    """How the sign-in is to be."""

    again: bool = Field(
        default=False,
        description="Whether the provider must ask for the person's proof, though it knows them.",
    )


class Callback(BaseModel):
    """What the provider sends back; further parameters are ignored, as providers add some."""

    model_config = ConfigDict(extra="ignore")

    code: str | None = Field(None, description="To be traded for who it is.")
    state: str | None = Field(None, description="Which sign-in this answers.")
    iss: str | None = Field(None, description="Who answers (RFC 9207).")
    error: str | None = Field(None, description="Why there is no code (RFC 6749, 4.1.2.1).")


class SignInCode(Strict):
    """What the page that the browser came back to has got."""

    code: str = Field(min_length=1, max_length=200)


@api.operation(
    "GET",
    "/auth/oidc/login",
    summary="Sign in with the firm's identity provider",
    description=(
        "For a browser: sends it to the provider. Whoever is signed in there may come back"
        " without a question; then the login is as fresh as the proof that the provider had."
        " With `again=true` it is asked to see a proof now (`max_age=0`)."
    ),
    query=Begin,
    responses={302: ResponseSpec(headers=_LOCATION)},
    problems=(404, 502, 503),
    tags=["login"],
)
async def begin_oidc(request: web.Request) -> web.Response:
    """Send the browser to the provider."""
    oidc = _oidc(request)
    try:
        url, begun = await oidc.begin(now(), again=parse_query(request, Begin).again)
    except ProviderAway as error:
        raise _away(error) from None
    answer = web.Response(status=302, headers={"Location": url, **_NO_STORE})
    tls = _by_tls(oidc)
    answer.set_cookie(
        cookie_name(begun.state, tls=tls),
        begun.cookie,
        max_age=flow.PENDING_SECONDS,
        path=_path(tls=tls),
        secure=tls,
        httponly=True,
        samesite="Lax",  # the provider sends the browser here from its own site
    )
    return answer


@api.operation(
    "GET",
    "/auth/oidc/callback",
    summary="Come back from the identity provider",
    description=(
        "For a browser. With a return address in the settings it goes there, with a one-time"
        " `code` (or an `error`) behind `#`; without one the answer holds the tokens."
    ),
    query=Callback,
    responses={200: TokenAnswer, 303: ResponseSpec(headers=_LOCATION)},
    problems=(400, 403, 404, 502, 503),
    tags=["login"],
)
async def finish_oidc(request: web.Request) -> web.Response:
    """Take the provider's answer."""
    oidc = _oidc(request)
    try:
        signed_in = await _signed_in(request, oidc)
        ticket = signed_in.ticket
        await _on_record(request, signed_in)
        if oidc.rules.return_url is None:
            answer = _answer(request, await _session(request, oidc, ticket))
        else:
            answer = _back(oidc.rules.return_url, code=await oidc.hand_out(ticket))
    except (SignInRefused, ProviderAway) as error:
        answer = await _refused(request, oidc, error)
    state = request.query.get("state", "")[:_MAX]
    tls = _by_tls(oidc)
    answer.del_cookie(cookie_name(state, tls=tls), path=_path(tls=tls), secure=tls)
    return answer


@api.operation(
    "POST",
    "/auth/oidc/tokens",
    summary="Trade the one-time code of a sign-in for tokens",
    description=(
        "The code stands behind `#` in the return address; it is good once, for a minute. Sent a"
        " second time, it ends the login that it was used for."
    ),
    body=SignInCode,
    responses={200: TokenAnswer},
    problems=(403, 404, 503),
    tags=["login"],
)
async def redeem_oidc(request: web.Request) -> web.Response:
    """Answer tokens."""
    oidc = _oidc(request)
    code = (await parse_json(request, SignInCode)).code
    try:
        taken = await oidc.take_back(code, now())
        tokens = await _session(request, oidc, taken.ticket)
        await oidc.used_for(taken, tokens.refresh.rpartition(".")[0])
        return _answer(request, tokens)
    except CodeReused as reused:
        if reused.session_id is not None:
            await _end(request, reused.session_id)
        raise _forbidden(reused) from None
    except SignInRefused as error:
        raise _forbidden(error) from None


async def _on_record(request: web.Request, signed_in: SignedIn) -> None:
    """Note a sign-in and what it changed, and tell the owner of the change."""
    account, change = signed_in.account, signed_in.role_change
    actor = f"account:{account.id}"
    if signed_in.linked_now:
        await note(request, "account.linked", actor=actor, target=actor)
        await tell_owner(request, account, "identity-linked")
    if change is not None:
        await note(
            request,
            "account.role-changed",
            actor=actor,
            target=actor,
            before=change.before.role.value,
            after=change.after.role.value,
            by_groups=True,
        )
        await tell_owner(request, account, "role-changed")
    await note(request, "sign-in.oidc", actor=actor, target=actor)


async def _signed_in(request: web.Request, oidc: Oidc) -> SignedIn:
    query = {name: request.query.get(name, "")[:_MAX] for name in Callback.model_fields}
    if query["error"]:
        raise SignInRefused("the provider did not let you in")
    if not query["code"] or not query["state"]:
        raise SignInRefused("the provider's answer is incomplete; begin again")
    cookie = request.cookies.get(cookie_name(query["state"], tls=_by_tls(oidc)), "")
    return await oidc.finish(query["code"], query["state"], cookie, query["iss"] or None, now())


async def _end(request: web.Request, session_id: str) -> None:
    account_id, _, session = session_id.rpartition(".")
    target = f"account:{account_id}"
    await note(request, "session.code-reused", target=target, outcome="refused", session=session)
    auth = request.app[AUTH]
    await auth.sessions.end(session_id)
    auth.live.forget(session_id)


async def _session(request: web.Request, oidc: Oidc, ticket: Ticket) -> Tokens:
    return await start_session(
        request.app[AUTH],
        await oidc.account(ticket),
        methods=ticket.methods,
        proved_at=ticket.proved_at or _LONG_AGO,
        now=now(),
        client=client_info(request),
    )


def _answer(request: web.Request, tokens: Tokens) -> web.Response:
    answer = TokenAnswer(
        access_token=tokens.access,
        expires_in=int(request.app[AUTH].tokens.lifetime.total_seconds()),
        refresh_token=tokens.refresh,
    )
    return web.Response(
        body=answer.model_dump_json().encode(), content_type="application/json", headers=_NO_STORE
    )


async def _refused(
    request: web.Request, oidc: Oidc, error: SignInRefused | ProviderAway
) -> web.Response:
    away = isinstance(error, ProviderAway)
    await note(request, "sign-in.oidc", outcome="failed" if away else "refused")
    if oidc.rules.return_url is None:
        raise (_away(error) if away else _forbidden(error)) from None
    return _back(
        oidc.rules.return_url,
        error="temporarily_unavailable" if away else "access_denied",
        error_description=_away(error).detail if away else _sentence(error),
    )


def _back(url: str, **values: str) -> web.Response:
    # Behind "#": a browser sends that part to no server, and not as a referrer.
    location = f"{url}#{urlencode(values)}"
    return web.Response(status=303, headers={"Location": location, **_NO_STORE})


def _oidc(request: web.Request) -> Oidc:
    oidc = request.app.get(OIDC)
    if oidc is None:
        raise Problem(
            "no-identity-provider",
            "There is no identity provider here",
            404,
            "Sign in with email and password, or ask the operator to set one up.",
        )
    return oidc


def _away(error: Exception) -> Problem:
    return Problem(
        "identity-provider-away",
        "The identity provider does not answer as it should",
        502,
        f"It was: {error}. Try again; if it stays, tell the operator.",
    )


def _forbidden(error: Exception) -> Problem:
    return Problem("sign-in-refused", "You could not be signed in", 403, _sentence(error))


def _sentence(error: Exception) -> str:
    return f"{str(error)[:1].upper()}{str(error)[1:]}."


def cookie_name(state: str, *, tls: bool) -> str:
    """Return the cookie's name: one for each sign-in, so two windows do not take each other's.

    Args:
        state: of the sign-in.
        tls: whether browsers come by TLS. Then the name begins with ``__Host-``: no other host
            of the domain can set or get such a cookie (RFC 6265bis, 4.1.3.2).
    """
    prefix = "__Host-" if tls else ""
    return f"{prefix}{_COOKIE}_{flow.pending_key(state)[-8:]}"


def _path(*, tls: bool) -> str:
    return "/" if tls else _PATH  # "__Host-" asks for the whole host


def _by_tls(oidc: Oidc) -> bool:
    return oidc.client.redirect_uri.startswith("https:")
