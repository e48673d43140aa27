"""What administrators decide about second factors: who must have one, and a fresh start."""

from typing import Final

from aiohttp import web

from libs.chassis.api import parse_json, path_uuid
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.auth.accounts import find_by_id
from services.leads.auth.mfa.policy import AuthPolicy
from services.leads.keys import AUTH
from services.leads.routes.api import api
from services.leads.routes.mfa_models import NewAuthPolicy
from services.leads.routes.notices import tell_owner
from services.leads.routes.recent import RECENT, me_just_proved
from services.leads.routes.responses import model_response

TAGS: Final = ["administration"]


@api.operation(
    "GET",
    "/auth/policy",
    summary="Who must use a second factor",
    responses={200: AuthPolicy},
    security=True,
    tags=TAGS,
)
async def show_auth_policy(request: web.Request) -> web.Response:
    """Answer the policy."""
    return model_response(await request.app[AUTH].mfa.policies.current())


@api.operation(
    "PUT",
    "/auth/policy",
    summary="Say who must use a second factor",
    description=(
        "An account of such a role that has none can do nothing but set one up, also in logins"
        " that are open already. Refused for one's own role while one has no factor oneself."
        f" {RECENT}"
    ),
    body=NewAuthPolicy,
    responses={200: AuthPolicy},
    problems=(409, 503),
    security=True,
    tags=TAGS,
)
async def set_auth_policy(request: web.Request) -> web.Response:
    """Set the policy; it holds everywhere within seconds."""
    asking = await me_just_proved(request)
    sent = await parse_json(request, NewAuthPolicy)
    wanted = AuthPolicy(mfa_required_for=sent.mfa_required_for)
    if asking.stored.account.role in wanted.mfa_required_for and not asking.credentials.has_factor:
        raise Problem(
            "own-factor-missing",
            "You have no second factor yourself",
            409,
            "Add an authenticator app or a passkey to your own account first.",
        )
    roles = ",".join(sorted(wanted.mfa_required_for))
    await note(request, "settings.changed", target="settings:auth-policy", mfa_required_for=roles)
    await request.app[AUTH].mfa.policies.change(wanted)
    return model_response(wanted)


@api.operation(
    "DELETE",
    "/accounts/{id}/mfa",
    summary="Take all second factors of an account away",
    description=(
        "For somebody who has lost them, after making sure that it is them who asks: their"
        f" password alone signs them in then. They are told by mail. {RECENT}"
    ),
    responses={204: None},
    problems=(409, 503),
    security=True,
    tags=TAGS,
)
async def reset_mfa(request: web.Request) -> web.Response:
    """Reset another account's factors."""
    account_id = str(path_uuid(request, "id"))
    asking = await me_just_proved(request)
    if account_id == asking.account_id:
        raise Problem(
            "own-account",
            "This is your own account",
            409,
            "Remove your own factors one by one: the rule about the last one holds for you too.",
        )
    auth = request.app[AUTH]
    stored = await find_by_id(auth.accounts, account_id)
    if stored is None:
        raise Problem("account-unknown", "There is no such account", 404, "Check its id.")
    await note(request, "mfa.reset", target=f"account:{account_id}")
    if await auth.mfa.credentials.reset(account_id):
        await tell_owner(request, stored.account, "mfa-removed")
    return web.Response(status=204)
