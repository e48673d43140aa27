"""Whose lead it is: an administrator says so, or an attorney takes a lead that is nobody's."""

from typing import Final
from uuid import UUID

from aiohttp import web

from libs.chassis.api import ResponseSpec, parse_json, path_uuid
from libs.chassis.errors import FieldError
from libs.chassis.problems import Problem, refused
from services.leads.audit import note
from services.leads.auth.accounts import find_by_id
from services.leads.keys import AUTH, DIRECTORY, PRINCIPAL, now, scans
from services.leads.lead import Assign
from services.leads.models import NOBODY, AssignAnswer, AssignRequest
from services.leads.routes.api import POSITION, POSITION_HEADER, api
from services.leads.routes.commands import KEY_PARAMETER, carried_out, command_id
from services.leads.routes.responses import model_response
from services.leads.views import named_in, view_of_facts

_ANSWERS: Final = {200: ResponseSpec({"application/json": AssignAnswer}, headers=POSITION_HEADER)}


@api.operation(
    "PUT",
    "/leads/{id}/assignee",
    summary="Say whose a lead is",
    description=(
        "A lead that is this account's already stays as it is; the answer says so. With"
        " `instead_of` the lead changes hands only if it is whose you think; otherwise the"
        " answer is 409 and nothing has changed."
    ),
    body=AssignRequest,
    responses=_ANSWERS,
    problems=(409, 410, 503),
    security=True,
    tags=["leads"],
    parameters=[KEY_PARAMETER],
)
async def assign_lead(request: web.Request) -> web.Response:
    """Give the lead to an account, or to nobody."""
    lead_id = path_uuid(request, "id")
    wanted = await parse_json(request, AssignRequest)
    assignee = None if wanted.account_id is None else str(wanted.account_id)
    if assignee is not None:
        await _check_account(request, assignee)
    return await _assign(request, lead_id, assignee, _instead_of(wanted))


@api.operation(
    "POST",
    "/leads/{id}/assignee/me",
    summary="Take a lead that is nobody's",
    description=(
        "Of two attorneys at once, one gets the lead and the other 409. A lead that is one's own"
        " already stays so."
    ),
    responses=_ANSWERS,
    problems=(403, 409, 410, 422, 503),
    security=True,
    tags=["leads"],
    parameters=[KEY_PARAMETER],
)
async def take_lead(request: web.Request) -> web.Response:
    """Give the lead to who asks, unless it is somebody's."""
    lead_id = path_uuid(request, "id")
    who = request[PRINCIPAL]
    if who.key_id is not None:
        raise Problem(
            "no-account",
            "An API key has no leads of its own",
            403,
            "Use PUT /leads/{id}/assignee with the account that gets the lead.",
        )
    return await _assign(request, lead_id, who.account_id, frozenset({None}))


async def _assign(
    request: web.Request, lead_id: UUID, assignee: str | None, instead_of: frozenset[str | None]
) -> web.Response:
    command = Assign(
        command_id=command_id(request, lead_id),
        actor=request[PRINCIPAL].actor,
        at=now(),
        assignee=assignee,
        instead_of=instead_of,
    )
    outcome = await carried_out(request, lead_id, command)
    await note(
        request,
        "lead.assigned",
        target=f"lead:{lead_id}",
        assignee="nobody" if assignee is None else f"account:{assignee}",
        already=outcome.already,
    )
    names = await request.app[DIRECTORY].names(named_in(outcome.events))
    view = view_of_facts(outcome.events, names.get, scanning=scans(request))
    answer = AssignAnswer(**dict(view), already_assigned=outcome.already)
    return model_response(answer, headers={POSITION: str(outcome.position)})


async def _check_account(request: web.Request, account_id: str) -> None:
    stored = await find_by_id(request.app[AUTH].accounts, account_id)
    if stored is None or not stored.account.active:
        raise refused([FieldError("account_id", "Must be the id of an active account")])


def _instead_of(wanted: AssignRequest) -> frozenset[str | None]:
    match wanted.instead_of:
        case None:
            return frozenset()
        case UUID() as account_id:
            return frozenset({str(account_id)})
        case _:
            assert wanted.instead_of == NOBODY  # noqa: S101 - the model takes nothing else
            return frozenset({None})
