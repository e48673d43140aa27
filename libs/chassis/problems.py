"""Errors as problem documents (RFC 9457), made in one place at the HTTP edge."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from libs.chassis.errors import FieldError, StoreUnavailable
from libs.chassis.request_id import request_id
from libs.chassis.status import phrase

PROBLEM_JSON = "application/problem+json"
TYPE_PREFIX = "urn:leadlog:problem:"
# What a widespread habit, nginx's, calls a request whose client hung up; nobody receives it.
CLIENT_GONE = 499
_SERVER_ERROR = 500
_STARTED = web.RequestKey("response_started", bool)

log = structlog.get_logger()


class Problem(Exception):
    """An answer that is an error; raise it from a handler, or map a domain error to one.

    Attributes:
        slug: stable name of the kind of problem; the document's type is
            ``urn:leadlog:problem:<slug>``.
        title: the kind of problem in words; the same for each occurrence.
        status: the HTTP status code.
        detail: what happened this time and what to do; must hold no personal data.
        errors: the fields that were refused.
        headers: response headers, such as ``Retry-After`` or ``WWW-Authenticate``.
    """

    def __init__(
        self,
        slug: str,
        title: str,
        status: int,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(slug)
        self.slug, self.title, self.status, self.detail = slug, title, status, detail
        self.errors, self.headers = tuple(errors), dict(headers)

    def document(self, occurrence: str) -> dict[str, Any]:
        """Return the problem document.

        Args:
            occurrence: the request's id, so that a user can quote what the log also has.
        """
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.slug,
            "title": self.title,
            "status": self.status,
            "instance": f"urn:leadlog:request:{occurrence}",
        }
        if self.detail:
            document["detail"] = self.detail
        if self.errors:
            document["errors"] = [asdict(error) for error in self.errors]
        return document


ErrorTable = Mapping[type[Exception], Callable[[Exception], Problem]]


def problem_middleware(errors: ErrorTable) -> Middleware:
    """Return a middleware that answers every exception with a problem document.

    Args:
        errors: the service's own errors; an exception is looked up by its class and then by
            its base classes. StoreUnavailable and pydantic's ValidationError need no row.
    """
    table: dict[type[Exception], Callable[[Exception], Problem]] = {
        StoreUnavailable: lambda _: store_unavailable(),
        ValidationError: _validation_problem,
        web.RequestPayloadError: lambda _: _cut_short(),
        **errors,
    }

    @web.middleware
    async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 - the edge: nothing may pass it unanswered
            return _answer(request, table, error)

    return answer_problems


async def mark_started(request: web.Request, _: web.StreamResponse) -> None:
    """Remember, as an ``on_response_prepare`` signal, that the response is on its way."""
    request[_STARTED] = True


def _answer(request: web.Request, table: ErrorTable, error: Exception) -> web.StreamResponse:
    if isinstance(error, ConnectionError | web.RequestPayloadError) and _client_is_gone(request):
        log.info("the client went away")
        return web.Response(status=CLIENT_GONE)
    if _STARTED in request:
        # A second head would be read as part of the first one's body: break the connection,
        # so that the client sees that what it has is not whole.
        log.error("response cut off", exc_info=error)
        if request.transport is not None:
            request.transport.abort()
        raise error
    if isinstance(error, web.HTTPException):
        if error.status < HTTPStatus.BAD_REQUEST:
            raise error
        error = http_problem(error)
    return problem_response(request, _mapped(table, error))


def _client_is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def problem_response(request: web.Request, problem: Problem) -> web.Response:
    """Return the response for a problem."""
    return web.Response(
        status=problem.status,
        body=json.dumps(problem.document(request_id(request))).encode(),
        content_type=PROBLEM_JSON,
        headers=problem.headers,
    )


def store_unavailable() -> Problem:
    """The answer while the store cannot be reached."""
    return Problem(
        "store-unavailable",
        "The store is not available",
        503,
        "Nothing is known to be lost. Try again in a few seconds.",
        headers={"Retry-After": "5"},
    )


def validation_problem(error: ValidationError, *, prefix: str = "") -> Problem:
    """Turn pydantic's findings into a 422 that names each field and repeats no input."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return refused([FieldError(prefix + _path(e["loc"]), _message(e["msg"])) for e in found])


def refused(errors: Sequence[FieldError]) -> Problem:
    """A 422 for these fields."""
    return Problem(
        "validation",
        "The input is not valid",
        422,
        "Correct the fields named under errors and send the request again.",
        errors,
    )


def http_problem(error: web.HTTPException) -> Problem:
    """Turn one of aiohttp's own errors (404, 405, 413, ...) into a problem."""
    title = phrase(error.status)
    headers = {k: v for k, v in error.headers.items() if k.lower() in _KEPT_HEADERS}
    slug = title.lower().replace(" ", "-")
    return Problem(slug, title, error.status, _HINTS.get(error.status, ""), headers=headers)


_KEPT_HEADERS = frozenset({"allow", "retry-after", "www-authenticate"})
_HINTS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method; the Allow header names those it takes.",
    413: "The request body is larger than this address takes.",
}


def _mapped(table: ErrorTable, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    for kind in type(error).__mro__:
        if kind in table:
            problem = table[kind](error)
            # A row may also catch a fault of ours (a model refusing what we stored, say), so
            # where it came from stays visible.
            write = log.warning if problem.status >= _SERVER_ERROR else log.debug
            write("answered with a problem", problem=problem.slug, exc_info=error)
            return problem
    log.error("unexpected error", exc_info=error)
    return Problem(
        "internal",
        "Something went wrong on our side",
        500,
        "The error is in the service's log under this request id.",
    )


def _validation_problem(error: Exception) -> Problem:
    if not isinstance(error, ValidationError):  # the table gives nothing else
        raise TypeError(error)
    return validation_problem(error)


def _cut_short() -> Problem:
    return Problem("body-cut-short", "The request body ended too early", 400)


def _path(loc: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in loc) or "body"


def _message(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].upper() + message[1:]
