"""`POST /leads/{id}/reached-out`: an attorney says that the prospect was contacted."""

from typing import Final

from aiohttp import web

from libs.chassis.api import ResponseSpec, parse_json, path_uuid
from services.leads.audit import note
from services.leads.keys import DIRECTORY, PRINCIPAL, now, scans
from services.leads.lead import MarkReachedOut
from services.leads.models import ReachedOutAnswer, ReachedOutRequest
from services.leads.routes.api import POSITION, POSITION_HEADER, api
from services.leads.routes.commands import KEY_PARAMETER, carried_out, command_id
from services.leads.routes.responses import model_response
from services.leads.views import named_in, view_of_facts

_BODY_MAY_BE_MISSING: Final = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ReachedOutRequest"}}
        },
    }
}


@api.operation(
    "POST",
    "/leads/{id}/reached-out",
    summary="Mark a lead as reached out",
    description=(
        "The body is optional. A lead that was reached out to before stays as it is; the answer"
        " says so, and by whom and when. So of two attorneys at once, one gets"
        " `already_reached_out: true`."
    ),
    body=ReachedOutRequest,
    extra=_BODY_MAY_BE_MISSING,
    responses={200: ResponseSpec({"application/json": ReachedOutAnswer}, headers=POSITION_HEADER)},
    problems=(409, 410, 503),
    security=True,
    tags=["leads"],
    parameters=[KEY_PARAMETER],
)
async def reach_out(request: web.Request) -> web.Response:
    """Carry the command out and answer the lead as the log has it."""
    lead_id = path_uuid(request, "id")
    said = await _said(request)
    command = MarkReachedOut(
        command_id=command_id(request, lead_id),
        actor=request[PRINCIPAL].actor,
        at=now(),
        channel=said.channel,
        note=said.note,
    )
    outcome = await carried_out(request, lead_id, command)
    await note(request, "lead.reached-out", target=f"lead:{lead_id}", already=outcome.already)
    names = await request.app[DIRECTORY].names(named_in(outcome.events))
    view = view_of_facts(outcome.events, names.get, scanning=scans(request))
    answer = ReachedOutAnswer(**dict(view), already_reached_out=outcome.already)
    return model_response(answer, headers={POSITION: str(outcome.position)})


async def _said(request: web.Request) -> ReachedOutRequest:
    if not await request.read():
        return ReachedOutRequest()
    return await parse_json(request, ReachedOutRequest)
