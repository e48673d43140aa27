"""`GET /leads` and `GET /leads/{id}`: from this replica's projection."""

from aiohttp import web

from libs.chassis.api import ResponseSpec, parse_query, path_uuid
from services.leads import queries
from services.leads.keys import DIRECTORY, READERS
from services.leads.lead import LeadUnknown
from services.leads.models import LeadPage, LeadQuery, LeadView
from services.leads.routes.api import POSITION, POSITION_HEADER, POSITION_PARAMETER, api
from services.leads.routes.positions import wait_for_position
from services.leads.routes.responses import model_response
from services.leads.views import account_id_of, view_of_row


@api.operation(
    "GET",
    "/leads",
    summary="List leads",
    description="Newest first unless `sort` says otherwise. Follow `next_cursor` for more.",
    query=LeadQuery,
    responses={200: ResponseSpec({"application/json": LeadPage}, headers=POSITION_HEADER)},
    problems=(422, 503),
    security=True,
    tags=["leads"],
    parameters=[POSITION_PARAMETER],
)
async def list_leads(request: web.Request) -> web.Response:
    """Answer one page."""
    query = parse_query(request, LeadQuery)
    position = await wait_for_position(request)
    async with request.app[READERS].reading() as engine:
        rows, next_cursor = await queries.page(engine, query)
    actors = (account_id_of(row.reached_out_by) for row in rows)
    names = await request.app[DIRECTORY].names(actors)
    items = [view_of_row(dict(row._mapping), names.get) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
    answer = LeadPage(items=items, next_cursor=next_cursor)
    return model_response(answer, headers={POSITION: str(position)})


@api.operation(
    "GET",
    "/leads/{id}",
    summary="Show a lead",
    responses={200: ResponseSpec({"application/json": LeadView}, headers=POSITION_HEADER)},
    problems=(422, 503),
    security=True,
    tags=["leads"],
    parameters=[POSITION_PARAMETER],
)
async def show_lead(request: web.Request) -> web.Response:
    """Answer one lead."""
    lead_id = path_uuid(request, "id")
    position = await wait_for_position(request)
    async with request.app[READERS].reading() as engine:
        row = await queries.one(engine, lead_id)
    if row is None:
        raise LeadUnknown
    names = await request.app[DIRECTORY].names([account_id_of(row.reached_out_by)])
    view = view_of_row(dict(row._mapping), names.get)  # noqa: SLF001 - SQLAlchemy's documented name
    return model_response(view, headers={POSITION: str(position)})
