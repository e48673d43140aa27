"""`POST /people/export` and `POST /people/erase`: what is kept about one person.

The address travels in the body: an address in a path or query ends up in logs (RFC 9110, 17.9).
"""

import functools
from contextlib import aclosing
from typing import Final
from uuid import UUID

import structlog
from aiohttp import web
from pydantic import BaseModel, Field

from libs.chassis.api import Header, ResponseSpec, parse_json
from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats import JETSTREAM
from libs.chassis.problems import Problem
from services.leads.audit import note
from services.leads.keys import GATE, PRINCIPAL, READERS, SETTINGS, STORE, now
from services.leads.models import Strict
from services.leads.people.erase import Eraser
from services.leads.people.export import export
from services.leads.people.read_model import in_read_model
from services.leads.people.records import Reason
from services.leads.routes.api import POSITION, POSITION_HEADER, api
from services.leads.routes.recent import RECENT, person_just_proved
from services.leads.routes.responses import model_response

_FILE: Final = ResponseSpec(
    {"application/zip": {"type": "string", "format": "binary"}},
    "A zip file: JSON and the files that the person sent.",
    {"Content-Disposition": Header("Always `attachment`.")},
)
log = structlog.get_logger(__name__)


class PersonRequest(Strict):
    """Whom it is about."""

    email: str = Field(
        min_length=1, max_length=254, description="Exactly this address, in any case."
    )


class Erased(BaseModel):
    """What was erased."""

    erased: list[UUID] = Field(description="The ids of the person's leads; none: nothing was kept.")


@api.operation(
    "POST",
    "/people/export",
    summary="Export everything about a person",
    description=(
        "Their leads with history and mails, and the files they sent."
        f" {RECENT} An API key needs none."
    ),
    body=PersonRequest,
    responses={200: _FILE},
    problems=(404, 503),
    security=True,
    tags=["people"],
)
async def export_person(request: web.Request) -> web.StreamResponse:
    """Stream the zip file."""
    leads = await _leads_of(request)
    if not leads:
        raise Problem(
            "person-unknown", "Nothing is kept about this address", 404, "Check the address."
        )
    for lead_id in leads:
        await note(request, "person.exported", target=f"lead:{lead_id}")
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/zip",
            "Content-Disposition": 'attachment; filename="person.zip"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    async with aclosing(export(request.app[JETSTREAM], leads, now=now())) as pieces:
        first = await anext(pieces)
        await response.prepare(request)
        await response.write(first)
        try:
            async for piece in pieces:
                await response.write(piece)
            await response.write_eof()
        except StoreUnavailable:
            # The headers are out: a file that is not whole must not look like one that is.
            log.warning("an export is cut off: JetStream does not answer")
            if request.transport is not None:
                request.transport.abort()
    return response


@api.operation(
    "POST",
    "/people/erase",
    summary="Erase a person for good",
    description=(
        "Everything about them: their leads with history, files, mail ledger, dead letters. It"
        " cannot be undone. Mails in mailboxes and older backups are not reached."
        f" {RECENT} An API key needs none."
    ),
    body=PersonRequest,
    responses={200: ResponseSpec({"application/json": Erased}, headers=POSITION_HEADER)},
    problems=(503,),
    security=True,
    tags=["people"],
)
async def erase_person(request: web.Request) -> web.Response:
    """Erase and say which leads that were."""
    leads = await _leads_of(request)
    eraser = Eraser(
        request.app[JETSTREAM], functools.partial(_noted, request), actor=request[PRINCIPAL].actor
    )
    erased = await eraser.erase(leads, "request")
    position = await request.app[STORE].last_position()
    return model_response(Erased(erased=erased), headers={POSITION: str(position)})


async def _leads_of(request: web.Request) -> list[UUID]:
    """Find the person's leads, with a read model that has everything the log has now."""
    if request[PRINCIPAL].assigned_only:
        raise Problem(
            "forbidden",
            "This account may not do that",
            403,
            "It sees only the leads that are assigned to it, and a person may have others.",
        )
    await person_just_proved(request)
    wanted = await parse_json(request, PersonRequest)
    position = await request.app[STORE].last_position()
    await request.app[GATE].wait(position, seconds=request.app[SETTINGS].position_wait_seconds)
    async with request.app[READERS].reading() as engine:
        return await in_read_model(engine, request.app[JETSTREAM], wanted.email)


async def _noted(request: web.Request, lead_id: UUID, reason: Reason) -> None:
    await note(request, "person.erased", target=f"lead:{lead_id}", reason=reason)
