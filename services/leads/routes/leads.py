"""`GET /leads` and `GET /leads/{id}`: from this replica's projection."""

from typing import Any

from aiohttp import web
from sqlalchemy import Row

from libs.chassis.api import ResponseSpec, parse_query, path_uuid
from services.leads import queries
from services.leads.audit import note
from services.leads.keys import DIRECTORY, PRINCIPAL, READERS, scans
from services.leads.listing_shape import shape_of
from services.leads.models import LeadPage, LeadQuery, LeadView
from services.leads.routes.api import POSITION, POSITION_HEADER, POSITION_PARAMETER, api
from services.leads.routes.positions import wait_for_position
from services.leads.routes.reading import visible_row
from services.leads.routes.responses import model_response
from services.leads.views import named_id_of, view_of_row
from services.leads.visibility import visible_part


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
    query = visible_part(request[PRINCIPAL], parse_query(request, LeadQuery))
    position = await wait_for_position(request)
    if query is None:
        return model_response(
            LeadPage(items=[], next_cursor=None), headers={POSITION: str(position)}
        )
    async with request.app[READERS].reading() as engine:
        rows, next_cursor = await queries.page(engine, query)
    names = await request.app[DIRECTORY].names(one for row in rows for one in _named_in(row))
    scanning = scans(request)
    items = [
        view_of_row(dict(row._mapping), names.get, scanning=scanning)  # noqa: SLF001 - SQLAlchemy's documented name
        for row in rows
    ]
    await note(request, "leads.listed", said=shape_of(query), count=len(items))
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
    row = await visible_row(request, lead_id)
    await note(request, "lead.read", target=f"lead:{lead_id}")
    names = await request.app[DIRECTORY].names(_named_in(row))
    view = view_of_row(dict(row._mapping), names.get, scanning=scans(request))  # noqa: SLF001 - SQLAlchemy's documented name
    return model_response(view, headers={POSITION: str(position)})


def _named_in(row: Row[Any]) -> tuple[str | None, str | None]:
    return named_id_of(row.reached_out_by), row.assigned_to
