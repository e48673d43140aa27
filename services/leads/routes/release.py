"""`POST /leads/{id}/resume/release`: an administrator says that a resume is fine after all."""

from aiohttp import web

from libs.chassis.api import ResponseSpec, parse_json, path_uuid
from services.leads.audit import note
from services.leads.keys import DIRECTORY, PRINCIPAL, now, scans
from services.leads.lead import ReleaseResume
from services.leads.models import ReleaseAnswer, ReleaseRequest
from services.leads.routes.api import POSITION, POSITION_HEADER, api
from services.leads.routes.commands import KEY_PARAMETER, carried_out, command_id
from services.leads.routes.responses import model_response
from services.leads.views import named_in, view_of_facts


@api.operation(
    "POST",
    "/leads/{id}/resume/release",
    summary="Release a resume that is held back",
    description=(
        "For a false alarm of the virus scanner, and for a file that it never gets done with."
        " Who released it, when and why stands in the lead's history. A later scan counts again."
    ),
    body=ReleaseRequest,
    responses={200: ResponseSpec({"application/json": ReleaseAnswer}, headers=POSITION_HEADER)},
    problems=(409, 410, 503),
    security=True,
    tags=["leads"],
    parameters=[KEY_PARAMETER],
)
async def release_resume(request: web.Request) -> web.Response:
    """Carry the command out and answer the lead as the log has it."""
    lead_id = path_uuid(request, "id")
    said = await parse_json(request, ReleaseRequest)
    command = ReleaseResume(
        command_id=command_id(request, lead_id),
        actor=request[PRINCIPAL].actor,
        at=now(),
        reason=said.reason,
    )
    outcome = await carried_out(request, lead_id, command)
    await note(request, "resume.released", target=f"lead:{lead_id}", already=outcome.already)
    names = await request.app[DIRECTORY].names(named_in(outcome.events))
    view = view_of_facts(outcome.events, names.get, scanning=scans(request))
    answer = ReleaseAnswer(**dict(view), already_free=outcome.already)
    return model_response(answer, headers={POSITION: str(outcome.position)})
