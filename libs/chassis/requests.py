"""Reading a request into a validated model, with a problem for each way it can be wrong."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ValidationError

from libs.chassis.errors import FieldError
from libs.chassis.problems import Problem, refused, validation_problem

M = TypeVar("M", bound=BaseModel)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BODY_SECONDS = web.AppKey("body_seconds", float)
_BODY_SECONDS = 30.0
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


async def parse_json(request: web.Request, model: type[M]) -> M:
    """Read a JSON body.

    Raises:
        Problem: 415 for another content type, 413 for a body that is too large, 408 for one
            that is too slow, 400 for something that is not JSON, 422 for JSON the model refuses.
    """
    _require(request, JSON)
    body = await _body(request)
    try:
        # Pydantic's parser refuses what Python's lets through: lone surrogates, bytes that
        # are not UTF-8, nesting without end.
        return model.model_validate_json(body)
    except ValidationError as error:
        if any(e["type"] == "json_invalid" for e in error.errors(include_input=False)):
            raise _malformed("JSON") from None
        raise validation_problem(error) from None


async def parse_form(request: web.Request, model: type[M]) -> M:
    """Read an ``application/x-www-form-urlencoded`` body; each field may stand once.

    Raises:
        Problem: 415, 413, 408, 400 or 422, as for ``parse_json``.
    """
    _require(request, FORM)
    body = await _body(request)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:  # bytes that are not UTF-8, or more fields than Python reads
        raise _malformed("a form") from None
    return _validate(model, pairs)


def parse_query(request: web.Request, model: type[M]) -> M:
    """Read the query string; each parameter may stand once, and must be one the model has.

    Raises:
        Problem: 422 that names each parameter that is unknown, repeated or not valid.
    """
    pairs = list(request.query.items())
    names = {field.alias or name for name, field in model.model_fields.items()}
    unknown = [FieldError(k, "Unknown parameter") for k in dict(pairs) if k not in names]
    if unknown:
        raise refused(unknown)
    return _validate(model, pairs)


def path_uuid(request: web.Request, name: str) -> UUID:
    """Return a path parameter as a UUID.

    Raises:
        Problem: 404 when it is not one: there cannot be anything at that address.
    """
    text = request.match_info[name]
    if not _UUID.fullmatch(text):
        raise Problem("not-found", "Not Found", 404, f"The {name} in the address is not a UUID.")
    return UUID(text)


def _validate(model: type[M], pairs: Sequence[tuple[str, str]]) -> M:
    counts = Counter(name for name, _ in pairs)
    repeated = [FieldError(k, "Given more than once") for k, n in counts.items() if n > 1]
    if repeated:
        raise refused(repeated)
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        raise validation_problem(error) from None


async def _body(request: web.Request) -> bytes:
    """Read it all; a client that sends it byte by byte holds a place that others need."""
    seconds = request.config_dict.get(BODY_SECONDS, _BODY_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        raise Problem(
            "body-timeout",
            "The request body took too long to arrive",
            408,
            "Nothing was done. Send the request again.",
            headers={"Connection": "close"},
        ) from None


def _require(request: web.Request, content_type: str) -> None:
    if request.content_type != content_type or "Content-Type" not in request.headers:
        raise Problem(
            "unsupported-media-type",
            "Unsupported Media Type",
            415,
            f"Send the body as {content_type}.",
        )


def _malformed(what: str) -> Problem:
    return Problem("malformed-body", "The request body is malformed", 400, f"It is not {what}.")
