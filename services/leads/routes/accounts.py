"""`/accounts`: administrators invite people, and say what each may do."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from libs.chassis.api import Header, ResponseSpec, parse_json, path_uuid
from services.leads.audit import note
from services.leads.auth import administration, joining
from services.leads.auth.accounts import (
    Account,
    AccountUnknown,
    clean_name,
    create_invited,
    find_by_id,
    list_accounts,
)
from services.leads.auth.joining import Joining
from services.leads.keys import AUTH, DIRECTORY, PRINCIPAL, now
from services.leads.routes.account_models import (
    AccountChange,
    AccountList,
    AccountView,
    Invitation,
    view_of,
)
from services.leads.routes.api import api
from services.leads.routes.notices import tell_owner
from services.leads.routes.responses import model_response

JOINING: Final = web.AppKey("joining", Joining)
_TAGS: Final = ["accounts"]


@api.operation(
    "GET",
    "/accounts",
    summary="List accounts",
    responses={200: AccountList},
    security=True,
    tags=_TAGS,
    operation_id="list_all_accounts",
)
async def list_all(request: web.Request) -> web.Response:
    """Answer every account."""
    found = await list_accounts(request.app[AUTH].accounts)
    return model_response(AccountList(items=[view_of(one) for one in found]))


@api.operation(
    "GET",
    "/accounts/{id}",
    summary="Show an account",
    responses={200: AccountView},
    security=True,
    tags=_TAGS,
)
async def show_account(request: web.Request) -> web.Response:
    """Answer one account."""
    stored = await find_by_id(request.app[AUTH].accounts, str(path_uuid(request, "id")))
    if stored is None:
        raise AccountUnknown
    return model_response(view_of(stored.account))


@api.operation(
    "POST",
    "/accounts",
    summary="Invite somebody",
    description=(
        "Makes an account and mails a link that works once, within seven days. If the answer is"
        " 503, look whether the account is there, and invite it again."
    ),
    body=Invitation,
    responses={
        201: ResponseSpec(
            {"application/json": AccountView}, headers={"Location": Header("The account.")}
        )
    },
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def invite_account(request: web.Request) -> web.Response:
    """Make the account and mail the link."""
    wanted = await parse_json(request, Invitation)
    stored = await create_invited(
        request.app[AUTH].accounts,
        wanted.email,
        wanted.name,
        role=wanted.role,
        assigned_only=wanted.assigned_only,
    )
    account = stored.account
    await note(request, "account.invited", target=f"account:{account.id}", role=account.role.value)
    await joining.send_invitation(request.app[JOINING], stored, await _asking(request), now())
    location = {"Location": f"/accounts/{account.id}"}
    return model_response(view_of(account), status=201, headers=location)


@api.operation(
    "POST",
    "/accounts/{id}/invitation",
    summary="Invite somebody again",
    description="Mails a new link; links from before end. Only for who never chose a password.",
    responses={204: None},
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def invite_account_again(request: web.Request) -> web.Response:
    """Mail a new link."""
    account_id = str(path_uuid(request, "id"))
    stored = await joining.invite_again(request.app[AUTH].accounts, account_id)
    await note(request, "account.invited", target=f"account:{account_id}", again=True)
    await joining.send_invitation(request.app[JOINING], stored, await _asking(request), now())
    return web.Response(status=204)


@api.operation(
    "PATCH",
    "/accounts/{id}",
    summary="Change an account's name, role or scope",
    description=(
        "Works within seconds, for those who are logged in as well. The last active"
        " administrator stays one: 409."
    ),
    body=AccountChange,
    responses={200: AccountView},
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def change_account(request: web.Request) -> web.Response:
    """Change it, and tell its owner when what they may do has changed."""
    account_id = str(path_uuid(request, "id"))
    said = (await parse_json(request, AccountChange)).model_dump(exclude_none=True)
    if "name" in said:
        said["name"] = clean_name(said["name"])
    changed = await administration.change_account(
        request.app[AUTH].accounts,
        account_id,
        lambda account: account.model_copy(update=said),
        now(),
    )
    target, before, after = f"account:{account_id}", changed.before, changed.after
    if (before.role, before.assigned_only) != (after.role, after.assigned_only):
        await note(
            request,
            "account.role-changed",
            target=target,
            before=before.role.value,
            after=after.role.value,
            assigned_only=after.assigned_only,
        )
        await tell_owner(request, after, "role-changed")
    if before.name != after.name:
        await note(request, "account.renamed", target=target)
    return model_response(view_of(after))


@api.operation(
    "POST",
    "/accounts/{id}/deactivation",
    summary="Refuse an account from now on",
    description="Its sessions end within seconds; its place in the history stays.",
    responses={200: AccountView},
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def deactivate_account(request: web.Request) -> web.Response:
    """Deactivate it."""
    return await _switch(request, "account.deactivated", administration.deactivated)


@api.operation(
    "POST",
    "/accounts/{id}/activation",
    summary="Let a deactivated account in again",
    responses={200: AccountView},
    problems=(503,),
    security=True,
    tags=_TAGS,
)
async def activate_account(request: web.Request) -> web.Response:
    """Activate it."""
    return await _switch(request, "account.activated", administration.activated)


async def _switch(
    request: web.Request, action: str, edit: Callable[[Account], Account]
) -> web.Response:
    account_id = str(path_uuid(request, "id"))
    changed = await administration.change_account(
        request.app[AUTH].accounts,
        account_id,
        # Asked for again, it changes nothing: an epoch must not end for nothing.
        lambda account: edit(account) if edit(account).active != account.active else account,
        now(),
    )
    if changed.before.active != changed.after.active:
        await note(request, action, target=f"account:{account_id}")
        if not changed.after.active:
            await tell_owner(request, changed.after, "deactivated")
    return model_response(view_of(changed.after))


async def _asking(request: web.Request) -> str:
    account_id = request[PRINCIPAL].account_id
    return (await request.app[DIRECTORY].names([account_id])).get(account_id) or ""
