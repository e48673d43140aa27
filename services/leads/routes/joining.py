"""Open to everybody: accepting an invitation, and getting back in after losing the password."""

from time import monotonic
from typing import Final

from aiohttp import web

from libs.chassis.api import parse_json
from libs.chassis.forwarded import network_of
from libs.chassis.problems import Problem
from libs.chassis.rate_limit import RateLimiter
from services.leads.audit import note, on_record
from services.leads.auth import accounts, joining
from services.leads.auth.accounts import StoredAccount, account_key
from services.leads.auth.links import LinkOver, Purpose
from services.leads.background import BACKGROUND
from services.leads.keys import AUTH, now
from services.leads.routes.account_models import NewPassword, ResetRequest
from services.leads.routes.accounts import JOINING
from services.leads.routes.api import api
from services.leads.routes.client import client_info
from services.leads.routes.notices import tell_owner

LIMITS: Final = web.AppKey("joining_limits", dict[str, RateLimiter])
_TAGS: Final = ["login"]
_TOO_MANY: Final = 429


def new_limits() -> dict[str, RateLimiter]:
    """How often an address may ask, and how often an account gets a mail."""
    return {
        "address": RateLimiter(seconds=6, burst=20),
        "account": RateLimiter(seconds=1200, burst=3),
    }


@api.operation(
    "POST",
    "/auth/invitation",
    summary="Accept an invitation",
    description="Gives the account its first password. Then log in at `/auth/token`.",
    body=NewPassword,
    responses={204: None},
    problems=(410, _TOO_MANY, 503),
    tags=_TAGS,
)
async def accept_invitation(request: web.Request) -> web.Response:
    """Set the password."""
    await _redeem(request, Purpose.INVITATION, "account.invitation-accepted")
    return web.Response(status=204)


@api.operation(
    "POST",
    "/auth/password-reset",
    summary="Ask for a way back in",
    description=(
        "Mails a link that works once, within an hour, if there is such an account. The answer"
        " is the same if there is none."
    ),
    body=ResetRequest,
    responses={202: None},
    problems=(_TOO_MANY, 503),
    tags=_TAGS,
)
async def ask_for_reset(request: web.Request) -> web.Response:
    """Answer at once; what tells an account from none happens afterwards."""
    asked = await parse_json(request, ResetRequest)
    _slow_down(request)
    key = account_key(asked.email)
    stored = await accounts.find(request.app[AUTH].accounts, key)
    request.app[BACKGROUND].start(_send_reset(request, key, stored), "password reset")
    return web.Response(status=202)


@api.operation(
    "POST",
    "/auth/password-reset/confirm",
    summary="Choose a new password with the link from the mail",
    description="Ends every session of the account, and tells its owner by mail.",
    body=NewPassword,
    responses={204: None},
    problems=(410, _TOO_MANY, 503),
    tags=_TAGS,
)
async def confirm_reset(request: web.Request) -> web.Response:
    """Set the password."""
    await _redeem(request, Purpose.RESET, "account.password-reset", notice="password-changed")
    return web.Response(status=204)


async def _redeem(
    request: web.Request, purpose: Purpose, action: str, *, notice: str | None = None
) -> None:
    given = await parse_json(request, NewPassword)
    _slow_down(request)
    auth, parts = request.app[AUTH], request.app[JOINING]
    wanted = await joining.look_up(auth, parts, purpose, given.token, given.password, now())
    own = f"account:{wanted.stored.account.id}"
    async with on_record(request, action, target=own, actor=own, refusals=(LinkOver,)):
        account = await joining.redeem(auth, wanted)
    if notice is not None:
        await tell_owner(request, account, notice)
    await joining.tidy_up(auth, parts, wanted, client_info(request).address)


async def _send_reset(request: web.Request, key: str, stored: StoredAccount | None) -> None:
    if stored is None or not stored.account.active or stored.account.invited:
        return
    if request.app[LIMITS]["account"].take(key, monotonic()):
        return  # their mailbox has enough of them
    await note(request, "account.reset-asked", target=f"account:{stored.account.id}")
    await joining.send_reset(request.app[JOINING], stored, now())


def _slow_down(request: web.Request) -> None:
    wait = request.app[LIMITS]["address"].take(
        network_of(client_info(request).address), monotonic()
    )
    if wait:
        raise Problem(
            "too-many-requests",
            "Too many requests from one address",
            _TOO_MANY,
            f"Try again in {round(wait) + 1} s.",
            headers={"Retry-After": str(round(wait) + 1)},
        )
