"""API keys for machines: made, listed and revoked by an administrator."""

from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel, Field

from libs.chassis.api import parse_json, path_uuid
from libs.chassis.errors import FieldError
from libs.chassis.problems import Problem, refused
from services.leads.audit import on_record
from services.leads.auth import api_keys
from services.leads.auth.api_keys import DEFAULT_DAYS, GRANTABLE, MAX_DAYS, MAX_NAME, ApiKey, Maker
from services.leads.auth.permissions import Permission
from services.leads.keys import AUTH, DIRECTORY, PRINCIPAL, now
from services.leads.models import Person, Strict
from services.leads.routes.api import api
from services.leads.routes.recent import RECENT, me_just_proved
from services.leads.routes.responses import model_response

_NO_STORE: Final = {"Cache-Control": "no-store"}


class ApiKeyRequest(Strict):
    """A key that is wanted."""

    name: str = Field(min_length=1, max_length=MAX_NAME, description="What people call it.")
    scopes: list[Permission] = Field(
        min_length=1,
        max_length=len(Permission),
        description="What it may do.",
        json_schema_extra={"items": {"type": "string", "enum": [*sorted(GRANTABLE)]}},
    )
    expires_in_days: int = Field(
        DEFAULT_DAYS, ge=1, le=MAX_DAYS, description="No key lives for ever."
    )


class ApiKeyView(BaseModel):
    """What is known of a key."""

    id: str
    name: str
    scopes: list[Permission]
    created_at: datetime
    created_by: Person | None = Field(description="Null: it was made on the command line.")
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To within a minute; null: not yet.")


class NewApiKey(ApiKeyView):
    """A key that was just made."""

    key: str = Field(description="`Authorization: Bearer <key>`. It is never shown again.")


class ApiKeyList(BaseModel):
    """Every key, oldest first."""

    items: list[ApiKeyView]


@api.operation(
    "POST",
    "/api-keys",
    summary="Make an API key",
    description=f"For a machine. The answer is the only one that ever shows the key. {RECENT}",
    body=ApiKeyRequest,
    responses={201: NewApiKey},
    security=True,
    tags=["api keys"],
)
async def create_api_key(request: web.Request) -> web.Response:
    """Make a key with no more rights than who asks has."""
    wanted, who = await parse_json(request, ApiKeyRequest), request[PRINCIPAL]
    await me_just_proved(request)
    maker = Maker(who.account_id, who.permissions, who.assigned_only)
    try:
        key, text = api_keys.plan(wanted.name, wanted.scopes, wanted.expires_in_days, maker, now())
    except api_keys.BadApiKey as error:
        raise refused([FieldError("body", str(error).capitalize())]) from None
    async with on_record(
        request,
        "api-key.created",
        target=f"api-key:{key.id}",
        scopes=" ".join(sorted(key.scopes)),
        days=wanted.expires_in_days,
    ):
        await api_keys.keep(request.app[AUTH].api_keys, key)
    names = await request.app[DIRECTORY].names([key.account_id])
    shown = NewApiKey(**dict(_view(key, None, names)), key=text.written())
    return model_response(shown, status=201, headers=_NO_STORE)


@api.operation(
    "GET",
    "/api-keys",
    summary="List API keys",
    description="Those that are over as well: the history names them.",
    responses={200: ApiKeyList},
    security=True,
    tags=["api keys"],
)
async def list_api_keys(request: web.Request) -> web.Response:
    """Answer every key, without its secret."""
    found = await api_keys.list_keys(request.app[AUTH].api_keys)
    names = await request.app[DIRECTORY].names(key.account_id for key, _ in found)
    items = [_view(key, used, names) for key, used in found]
    return model_response(ApiKeyList(items=items), headers=_NO_STORE)


@api.operation(
    "DELETE",
    "/api-keys/{id}",
    summary="Revoke an API key",
    description="It stops working within seconds, for good.",
    responses={204: None},
    problems=(404, 503),
    security=True,
    tags=["api keys"],
)
async def revoke_api_key(request: web.Request) -> web.Response:
    """End a key."""
    key_id, auth = str(path_uuid(request, "id")), request.app[AUTH]
    if await api_keys.find(auth.api_keys, key_id) is None:
        raise Problem("api-key-unknown", "There is no such API key", 404, "Look at GET /api-keys.")
    async with on_record(request, "api-key.revoked", target=f"api-key:{key_id}"):
        await api_keys.revoke(auth.api_keys, key_id, now())
    auth.live_keys.forget(key_id)
    return web.Response(status=204)


def _view(key: ApiKey, used: datetime | None, names: dict[str, str | None]) -> ApiKeyView:
    by = key.account_id
    return ApiKeyView(
        **key.model_dump(include={"id", "name", "created_at", "expires_at", "revoked_at"}),
        scopes=sorted(key.scopes),
        created_by=None if by == api_keys.OPERATOR else Person(id=by, name=names.get(by)),
        last_used_at=used,
    )
