"""One id for each request: taken from the caller when it is well-formed, otherwise made."""

import re
import uuid

from aiohttp import web

HEADER = "X-Request-Id"
_KEY = web.RequestKey("request_id", str)
# Long enough for a UUID or a trace id; nothing that could break a log line or a header.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(request: web.Request) -> str:
    """Return this request's id, choosing it at the first call."""
    if _KEY not in request:
        given = request.headers.get(HEADER, "")
        request[_KEY] = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
    return request[_KEY]
