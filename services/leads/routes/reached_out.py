"""`POST /leads/{id}/reached-out`: an attorney says that the prospect was contacted."""

import re
from typing import Final
from uuid import UUID

from aiohttp import web

from libs.chassis.api import Parameter, ResponseSpec, parse_json, path_uuid
from libs.chassis.errors import FieldError
from libs.chassis.problems import refused
from libs.events import new_id
from services.leads.keys import DIRECTORY, IDENTITY, STORE, now
from services.leads.lead import MarkReachedOut
from services.leads.models import ReachedOutAnswer, ReachedOutRequest
from services.leads.reached_out import command_id_of, mark_reached_out
from services.leads.routes.api import POSITION, POSITION_HEADER, api
from services.leads.routes.responses import model_response
from services.leads.views import account_id_of, view_of_facts

_KEY: Final = "Idempotency-Key"
_KEY_PATTERN: Final = r"[\x21-\x7e]{1,255}"
_BODY_MAY_BE_MISSING: Final = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ReachedOutRequest"}}
        },
    }
}
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


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
    problems=(409, 503),
    security=True,
    tags=["leads"],
    parameters=[
        Parameter(
            _KEY,
            "The same key again gets the same answer, and nothing happens twice.",
            {"type": "string", "pattern": f"^{_KEY_PATTERN}$"},
        )
    ],
)
async def reach_out(request: web.Request) -> web.Response:
    """Carry the command out and answer the lead as the log has it."""
    lead_id = path_uuid(request, "id")
    account_id = request[IDENTITY].account_id
    said = await _said(request)
    command = MarkReachedOut(
        command_id=_command_id(request, account_id, lead_id),
        account_id=account_id,
        at=now(),
        channel=said.channel,
        note=said.note,
    )
    outcome = await mark_reached_out(request.app[STORE], lead_id, command, _trace(request))
    actors = (account_id_of(event.actor) for event in outcome.events)
    names = await request.app[DIRECTORY].names(actors)
    view = view_of_facts(outcome.events, names.get)
    answer = ReachedOutAnswer(**dict(view), already_reached_out=outcome.already)
    return model_response(answer, headers={POSITION: str(outcome.position)})


async def _said(request: web.Request) -> ReachedOutRequest:
    if not await request.read():
        return ReachedOutRequest()
    return await parse_json(request, ReachedOutRequest)


def _command_id(request: web.Request, account_id: str, lead_id: UUID) -> UUID:
    key = request.headers.get(_KEY)
    if key is None:
        return new_id()
    if not re.fullmatch(_KEY_PATTERN, key):
        raise refused([FieldError(_KEY, "Must be 1 to 255 visible ASCII characters")])
    return command_id_of(account_id, lead_id, key)


def _trace(request: web.Request) -> str | None:
    given = request.headers.get("traceparent", "")
    return given if _TRACEPARENT.fullmatch(given) else None
