"""`GET /leads/{id}/history`: from the log itself."""

from aiohttp import web

from libs.chassis.api import path_uuid
from services.leads.audit import note
from services.leads.keys import DIRECTORY, PRINCIPAL, STORE
from services.leads.lead import LeadIsErased, LeadUnknown, state_of
from services.leads.models import History
from services.leads.routes.api import POSITION_PARAMETER, api
from services.leads.routes.positions import wait_for_position
from services.leads.routes.responses import model_response
from services.leads.views import history_entry, named_in
from services.leads.visibility import may_see


@api.operation(
    "GET",
    "/leads/{id}/history",
    summary="Show what happened to a lead",
    description="Every fact, oldest first: who did what, when. Mails are facts too.",
    responses={200: History},
    problems=(410, 422, 503),
    security=True,
    tags=["leads"],
    parameters=[POSITION_PARAMETER],
)
async def show_history(request: web.Request) -> web.Response:
    """Answer the lead's facts."""
    lead_id = path_uuid(request, "id")
    await wait_for_position(request)
    history = await request.app[STORE].load(lead_id)
    state = state_of(history.events)
    if not history.found or not may_see(request[PRINCIPAL], state.assigned_to):
        raise LeadUnknown
    if state.erased:
        raise LeadIsErased
    await note(request, "lead.history-read", target=f"lead:{lead_id}")
    names = await request.app[DIRECTORY].names(named_in(history.events))
    return model_response(
        History(items=[history_entry(event, names.get) for event in history.events])
    )
