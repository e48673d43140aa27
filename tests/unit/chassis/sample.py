"""A small service that the tests drive."""

from typing import Annotated, Any
from uuid import UUID

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.api import (
    Api,
    Header,
    Parameter,
    ResponseSpec,
    parse_form,
    parse_json,
    parse_query,
    path_uuid,
)
from libs.chassis.errors import StoreUnavailable
from libs.chassis.fields import Instant, Line
from libs.chassis.problems import ErrorTable, Problem
from libs.chassis.settings import ServiceSettings
from libs.chassis.web import new_app

TOKEN = "let-me-in"


class SampleSettings(ServiceSettings, service="leads"):
    pass


class Alarming(Exception):
    pass


class MoreAlarming(Alarming):
    pass


class Search(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="At most this many.")
    text: Annotated[Line, Field(max_length=40)] | None = None
    since: Instant | None = Field(None, description="Not older than this.")


class NewThing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Line = Field(min_length=1, max_length=20, description="What it is called.")
    fragile: bool = False


class Thing(NewThing):
    id: UUID


class Things(BaseModel):
    items: list[Thing]


class Login(BaseModel):
    username: Line = Field(min_length=1)
    password: Line = Field(min_length=1)


class Token(BaseModel):
    access_token: str


def make_api() -> Api:
    api = Api("Sample", "1.2", "Things & <names>.", oauth2_token_url="/auth/token")

    @api.operation(
        "GET", "/things", summary="List things", query=Search, responses={200: Things}, tags=["T"]
    )
    async def list_things(request: web.Request) -> web.Response:
        parse_query(request, Search)
        return web.json_response({"items": []})

    @api.operation(
        "POST",
        "/things/{id}",
        summary="Make a thing",
        description="Makes it.",
        body=NewThing,
        responses={201: ResponseSpec({"application/json": Thing}, headers={"ETag": Header("v")})},
        parameters=[Parameter("Idempotency-Key", "Repeats are safe.")],
        security=True,
        tags=["T"],
    )
    async def make_thing(request: web.Request) -> web.Response:
        _authenticate(request)
        key = path_uuid(request, "id")
        new = await parse_json(request, NewThing)
        thing = Thing(id=key, **new.model_dump())
        return web.json_response(thing.model_dump(mode="json"), status=201, headers={"ETag": '"1"'})

    @api.operation("POST", "/auth/token", summary="Log in", form=Login, responses={200: Token})
    async def log_in(request: web.Request) -> web.Response:
        await parse_form(request, Login)
        return web.json_response({"access_token": TOKEN})

    @api.operation(
        "GET",
        "/things/{id}/picture",
        summary="The picture",
        responses={200: ResponseSpec({"image/png": None})},
    )
    async def picture(request: web.Request) -> web.Response:
        path_uuid(request, "id")
        return web.Response(body=b"PNG", content_type="image/png")

    return api


def _authenticate(request: web.Request) -> None:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        raise Problem(
            "not-authenticated",
            "Not authenticated",
            401,
            "Send a bearer token.",
            headers={"WWW-Authenticate": "Bearer"},
        )


ERRORS: ErrorTable = {Alarming: lambda _: Problem("alarming", "Alarming", 409, "It rang.")}


def make_app(**settings: Any) -> web.Application:
    app = new_app(SampleSettings(**settings), service="leads", errors=ERRORS, client_max_size=2048)
    make_api().install(app)
    app.router.add_post("/fail/{how}", fail)
    app.router.add_get("/own-headers", own_headers)
    app.router.add_get("/moved", moved)
    app.router.add_get("/half", half)
    app.router.add_post("/swallow", swallow)
    return app


async def fail(request: web.Request) -> web.Response:
    text = await request.text()
    match request.match_info["how"]:
        case "bug":
            raise RuntimeError(text)
        case "model":
            NewThing.model_validate({"name": text * 30, "fragile": text})
        case "table":
            raise MoreAlarming(text)
        case "store":
            raise StoreUnavailable(text)
        case _:
            structlog.get_logger().info("handled")
    return web.Response(text="fine")


async def own_headers(_: web.Request) -> web.Response:
    return web.Response(
        text="x",
        headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "frame-ancestors *"},
    )


async def moved(_: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/elsewhere")


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "2000"})
    await response.prepare(request)
    await response.write(b"half")
    raise StoreUnavailable


async def swallow(request: web.Request) -> web.Response:
    structlog.get_logger().info("reading")
    async for _ in request.content.iter_any():
        pass
    return web.Response(text="all of it")
