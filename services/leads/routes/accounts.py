"""`/accounts`: administrators invite people, and say what each may do."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from libs.chassis.api import Header, ResponseSpec, parse_json, path_uuid
from services.leads.audit import on_record
from services.leads.auth import administration, joining
from services.leads.auth.accounts import (
    Account,
    AccountUnknown,
    add,
    clean_name,
    find_by_id,
    list_accounts,
    plan_invited,
)
from services.leads.auth.administration import Changed
from services.leads.auth.joining import Joining
from services.leads.auth.permissions import Role
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
from services.leads.routes.recent import RECENT, me_just_proved
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
        f" 503, look whether the account is there, and invite it again. {RECENT}"
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
    await me_just_proved(request)
    bucket = request.app[AUTH].accounts
    account = await plan_invited(
        bucket,
        wanted.email,
        wanted.name,
        role=wanted.role,
        assigned_only=wanted.assigned_only,
    )
    target, role = f"account:{account.id}", account.role.value
    async with on_record(request, "account.invited", target=target, role=role):
        stored = await add(bucket, account)
    await joining.send_invitation(request.app[JOINING], stored, await _asking(request), now())
    location = {"Location": f"/accounts/{account.id}"}
    return model_response(view_of(account), status=201, headers=location)


@api.operation(
    "POST",
    "/accounts/{id}/invitation",
    summary="Invite somebody again",
    description=(
        f"Mails a new link; links from before end. Only for who never chose a password. {RECENT}"
    ),
    responses={204: None},
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def invite_account_again(request: web.Request) -> web.Response:
    """Mail a new link."""
    account_id = str(path_uuid(request, "id"))
    await me_just_proved(request)
    bucket = request.app[AUTH].accounts
    found = await joining.check_invited(bucket, account_id)
    target, refusals = f"account:{account_id}", (joining.NotInvited,)
    async with on_record(request, "account.invited", target=target, refusals=refusals, again=True):
        stored = await joining.invite_again(bucket, found)
    await joining.send_invitation(request.app[JOINING], stored, await _asking(request), now())
    return web.Response(status=204)


@api.operation(
    "PATCH",
    "/accounts/{id}",
    summary="Change an account's name, role or scope",
    description=(
        "Works within seconds, for those who are logged in as well. The last active"
        f" administrator stays one: 409. {RECENT}"
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
    await me_just_proved(request)
    return model_response(
        view_of(await _change(request, account_id, lambda one: one.model_copy(update=said)))
    )


@api.operation(
    "POST",
    "/accounts/{id}/deactivation",
    summary="Refuse an account from now on",
    description=f"Its sessions end within seconds; its place in the history stays. {RECENT}",
    responses={200: AccountView},
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def deactivate_account(request: web.Request) -> web.Response:
    """Deactivate it."""
    return await _switch(request, administration.deactivated)


@api.operation(
    "POST",
    "/accounts/{id}/activation",
    summary="Let a deactivated account in again",
    description=RECENT,
    responses={200: AccountView},
    problems=(409, 503),
    security=True,
    tags=_TAGS,
)
async def activate_account(request: web.Request) -> web.Response:
    """Activate it."""
    return await _switch(request, administration.activated)


async def _switch(request: web.Request, edit: Callable[[Account], Account]) -> web.Response:
    account_id = str(path_uuid(request, "id"))
    await me_just_proved(request)

    def once(account: Account) -> Account:
        # Asked for again, it changes nothing: an epoch must not end for nothing.
        return edit(account) if edit(account).active != account.active else account

    return model_response(view_of(await _change(request, account_id, once)))


async def _change(
    request: web.Request, account_id: str, edit: Callable[[Account], Account]
) -> Account:
    """Put each thing that changes on record, change it, and tell the owner what they must know."""
    bucket = request.app[AUTH].accounts
    planned = await administration.plan_change(bucket, account_id, edit)
    if planned.before == planned.after:
        return planned.before
    entries = list(_entries(planned))

    def as_planned(account: Account) -> Account:
        edited = edit(account)
        if edited != account and list(_entries(Changed(account, edited))) != entries:
            raise administration.ChangedMeanwhile  # it would be another change than is on record
        return edited

    async with AsyncExitStack() as stack:
        for action, details in entries:
            entry = on_record(
                request,
                action,
                target=f"account:{account_id}",
                refusals=(administration.LastAdmin,),
                said=details,
            )
            await stack.enter_async_context(entry)
        changed = await administration.change_account(bucket, account_id, as_planned, now())
    before, after = changed.before, changed.after
    if _scope(before) != _scope(after):
        await tell_owner(request, after, "role-changed")
    if before.active and not after.active:
        await tell_owner(request, after, "deactivated")
    return after


def _entries(planned: Changed) -> Iterator[tuple[str, dict[str, str | bool]]]:
    before, after = planned.before, planned.after
    if _scope(before) != _scope(after):
        yield (
            "account.role-changed",
            {
                "before": before.role.value,
                "after": after.role.value,
                "assigned_only": after.assigned_only,
            },
        )
    if before.name != after.name:
        yield "account.renamed", {}
    if before.active != after.active:
        yield f"account.{'activated' if after.active else 'deactivated'}", {}


def _scope(account: Account) -> tuple[Role, bool]:
    return account.role, account.assigned_only


async def _asking(request: web.Request) -> str:
    account_id = request[PRINCIPAL].account_id
    return (await request.app[DIRECTORY].names([account_id])).get(account_id) or ""
