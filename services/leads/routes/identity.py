"""`/accounts/{id}/identity`: whose an account is at the firm's identity provider."""

from aiohttp import web

from libs.chassis.api import path_uuid
from services.leads.audit import note
from services.leads.auth.accounts import AccountUnknown, find_by_id
from services.leads.auth.oidc import linking
from services.leads.keys import AUTH
from services.leads.routes.api import api
from services.leads.routes.notices import tell_owner
from services.leads.routes.recent import RECENT, me_just_proved


@api.operation(
    "DELETE",
    "/accounts/{id}/identity",
    summary="Take the person at the identity provider off an account",
    description=(
        "Its sessions end within seconds. The next person at the provider who has its address,"
        " verified, gets the account. Its owner is told by mail, unless there was nothing to take"
        f" off. {RECENT}"
    ),
    responses={204: None},
    problems=(503,),
    security=True,
    tags=["administration"],
)
async def unlink_identity(request: web.Request) -> web.Response:
    """Unlink it."""
    account_id = str(path_uuid(request, "id"))
    await me_just_proved(request)
    bucket = request.app[AUTH].accounts
    stored = await find_by_id(bucket, account_id)
    if stored is None:
        raise AccountUnknown
    if await linking.is_linked(bucket, stored.account):
        await note(request, "account.unlinked", target=f"account:{account_id}")
        await linking.unlink(bucket, account_id)
        await tell_owner(request, stored.account, "identity-unlinked")
    return web.Response(status=204)
