"""`POST /auth/token`: the OAuth 2.0 token endpoint (RFC 6749, sections 4.3, 5 and 6)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.audit import Outcome
from libs.chassis.api import parse_form
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.auth import accounts, login
from services.leads.auth.login import Refused, Reused, SlowDown, Tokens
from services.leads.auth.mfa.second_step import SecondStepNeeded
from services.leads.auth.parts import Auth
from services.leads.auth.password_rules import MAX_LENGTH
from services.leads.keys import AUTH, now
from services.leads.refusals import note_refusal
from services.leads.routes.api import api
from services.leads.routes.client import client_info
from services.leads.routes.mfa_models import MfaRequired

_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_TOO_MANY: Final = 429


class TokenRequest(BaseModel):
    """The form; parameters that are not known are ignored, as the RFC asks."""

    model_config = ConfigDict(hide_input_in_errors=True)

    # Any text is taken and answered by the RFC's own error; the document says what works.
    grant_type: str = Field(json_schema_extra={"enum": ["password", "refresh_token"]})
    username: str | None = Field(None, max_length=320, description="The account's email address.")
    password: str | None = Field(None, max_length=MAX_LENGTH)
    refresh_token: str | None = Field(None, max_length=200)


class TokenAnswer(BaseModel):
    """Tokens (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the type's name
    expires_in: int = Field(description="Seconds until the access token ends.")
    refresh_token: str = Field(description="Can be used once; the next answer holds a new one.")


class TokenError(BaseModel):
    """A refusal (RFC 6749, section 5.2)."""

    error: Literal["invalid_request", "invalid_grant", "unsupported_grant_type"]
    error_description: str


class _Bad(Exception):
    def __init__(
        self, error: str, description: str, status: int = 400, headers: Any = None
    ) -> None:
        super().__init__(error)
        self.answer = TokenError.model_validate({"error": error, "error_description": description})
        self.status = status
        self.headers = headers or {}


@api.operation(
    "POST",
    "/auth/token",
    summary="Log in, or renew a login",
    description=(
        "With `grant_type=password`, `username` and `password`; or with"
        " `grant_type=refresh_token` and `refresh_token`."
    ),
    form=TokenRequest,
    responses={200: TokenAnswer, 400: TokenError | MfaRequired, _TOO_MANY: TokenError},
    tags=["login"],
)
async def give_token(request: web.Request) -> web.Response:
    """Answer tokens, or the RFC's error."""
    auth = request.app[AUTH]
    try:
        tokens = await _tokens(request, auth)
    except _Bad as bad:
        return _json(bad.answer, bad.status, bad.headers)
    except SecondStepNeeded as needed:
        required = MfaRequired(mfa_token=needed.token, methods=list(needed.methods))
        return _json(required, HTTPStatus.BAD_REQUEST)
    return token_response(auth, tokens)


def token_response(auth: Auth, tokens: Tokens) -> web.Response:
    """Return tokens as RFC 6749 has them."""
    lifetime = int(auth.tokens.lifetime.total_seconds())
    return _json(
        TokenAnswer(access_token=tokens.access, expires_in=lifetime, refresh_token=tokens.refresh)
    )


async def _tokens(request: web.Request, auth: Auth) -> Tokens:
    try:
        form = await parse_form(request, TokenRequest)
    except Problem as problem:
        names = ", ".join(error.field for error in problem.errors) or "the body"
        raise _Bad("invalid_request", f"missing, repeated or not valid: {names}") from None
    try:
        match form:
            case TokenRequest(grant_type="password", username=str(user), password=str(password)):
                return await _log_in(request, auth, user, password)
            case TokenRequest(grant_type="refresh_token", refresh_token=str(token)):
                return await _renew(request, auth, token)
            case TokenRequest(grant_type="password"):
                raise _Bad("invalid_request", "username and password are needed")
            case TokenRequest(grant_type="refresh_token"):
                raise _Bad("invalid_request", "refresh_token is needed")
            case _:
                raise _Bad("unsupported_grant_type", "use password or refresh_token")
    except Refused:
        raise _Bad("invalid_grant", "these credentials are not valid") from None
    except SlowDown as slow:
        raise _Bad(
            "invalid_grant",
            f"too many failed logins; try again in {slow.seconds} s",
            _TOO_MANY,
            {"Retry-After": str(slow.seconds)},
        ) from None


async def _log_in(request: web.Request, auth: Auth, user: str, password: str) -> Tokens:
    try:
        tokens = await login.log_in(auth, user, password, now(), client_info(request))
    except SlowDown as slow:
        meant = f"account:{slow.account_id}" if slow.account_id else None
        note_refusal(request, "sign-in.password", reason="slowed-down", target=meant)
        raise
    except (Refused, SecondStepNeeded) as error:
        # The account, if there is one; never the address that was typed.
        known = await accounts.find(auth.accounts, accounts.account_key(user))
        target = f"account:{known.account.id}" if known else None
        refused = isinstance(error, Refused)
        outcome: Outcome = "refused" if refused else "ok"
        await note(
            request, "sign-in.password", target=target, outcome=outcome, second_step=not refused
        )
        raise
    own = f"account:{tokens.account_id}"
    await note(request, "sign-in.password", actor=own, target=own)
    return tokens


async def _renew(request: web.Request, auth: Auth, token: str) -> Tokens:
    try:
        return await login.renew(auth, token, now())
    except Reused as reused:
        # Somebody has a copy. It ends the session, so it cannot be repeated without end.
        account_id, _, session = reused.session_id.rpartition(".")
        await note(
            request,
            "session.token-reused",
            target=f"account:{account_id}" if account_id else f"session:{session}",
            outcome="refused",
            session=session,
        )
        raise


def _json(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=model.model_dump_json().encode(),
        status=status,
        content_type="application/json",
        headers={**_NO_STORE, **(headers or {})},
    )
