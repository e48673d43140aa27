"""Reading one lead for whoever asks: the one way to a row for every route."""

from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import Row

from services.leads import queries
from services.leads.keys import PRINCIPAL, READERS
from services.leads.lead import LeadUnknown
from services.leads.visibility import may_see


async def visible_row(request: web.Request, lead_id: UUID) -> Row[Any]:
    """Return the lead's row in this replica's projection.

    Raises:
        LeadUnknown: There is none, or it does not exist for who asks.
    """
    async with request.app[READERS].reading() as engine:
        row = await queries.one(engine, lead_id)
    if row is None or not may_see(request[PRINCIPAL], row.assigned_to):
        raise LeadUnknown
    return row
