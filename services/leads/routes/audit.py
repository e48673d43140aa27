"""`GET /audit` and `GET /audit/export`: the trail, from the stream itself (docs/audit.md)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog
from aiohttp import hdrs, web

from libs.audit.reading import AuditReader, Span
from libs.audit.search import Search
from libs.chassis.api import Header, ResponseSpec, parse_query
from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats import JETSTREAM
from libs.chassis.problems import Problem
from services.leads import cursors
from services.leads.audit import note
from services.leads.audit_files import FORMATS
from services.leads.audit_models import (
    AuditEntryView,
    AuditExportQuery,
    AuditPageView,
    AuditQuery,
)
from services.leads.audit_names import with_names
from services.leads.keys import PRINCIPAL
from services.leads.routes.api import api
from services.leads.routes.responses import model_response

_TAGS: Final = ["audit"]
_TEXT: Final = {"type": "string"}
_PRIVATE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
log = structlog.get_logger(__name__)


@api.operation(
    "GET",
    "/audit",
    summary="List the audit trail",
    description=(
        "Newest first, by the place in the trail. One request looks at a bounded number of"
        " entries, so a page may have fewer than `limit`, or none, while there are more: follow"
        " `next_cursor` until it is null."
    ),
    query=AuditQuery,
    responses={200: AuditPageView},
    problems=(422, 503),
    security=True,
    tags=_TAGS,
)
async def list_audit(request: web.Request) -> web.Response:
    """Answer one page."""
    query = parse_query(request, AuditQuery)
    _must_see_everything(request)
    name = cursors.fingerprint(query.model_dump(mode="json", exclude={"limit", "cursor"}))
    # The position is all there is to know; a cursor also has room for a sort key.
    below = None if query.cursor is None else cursors.decode(query.cursor, name, int).position
    reader = AuditReader(request.app[JETSTREAM])
    page = await reader.page(query.search(), limit=query.limit, below=below)
    items = await with_names(request.app, page.entries, request[PRINCIPAL])
    shape = query.shape(found=bool(items))
    await note(
        request, "audit.listed", said=shape, count=len(items), first_page=query.cursor is None
    )
    after = None if page.below is None else cursors.encode(cursors.Cursor(0, page.below), name)
    return model_response(AuditPageView(items=items, next_cursor=after), headers=_PRIVATE)


@api.operation(
    "GET",
    "/audit/export",
    summary="Download the audit trail",
    description=(
        "Oldest first, up to the entry that was the last one when it began. A file that could"
        " not be completed never looks whole: the connection is cut."
    ),
    query=AuditExportQuery,
    responses={
        200: ResponseSpec(
            {"text/csv": _TEXT, "application/x-ndjson": _TEXT},
            "The file. In a CSV, a cell that a spreadsheet would take for a formula begins"
            " with an apostrophe.",
            {"Content-Disposition": Header("Always `attachment`.")},
        )
    },
    problems=(422, 503),
    security=True,
    tags=_TAGS,
)
async def export_audit(request: web.Request) -> web.StreamResponse:
    """Stream the file."""
    query = parse_query(request, AuditExportQuery)
    _must_see_everything(request)
    kind, search = FORMATS[query.format], query.search()
    reader = AuditReader(request.app[JETSTREAM])
    span = await reader.span(search)
    async with aclosing(_views(request, reader, search, span)) as batches:
        first: list[AuditEntryView] = await anext(batches, [])
        shape = query.shape(found=bool(first))
        await note(request, "audit.exported", said=shape, format=query.format, through=span.last)
        name = f'attachment; filename="audit.{query.format}"'
        response = web.StreamResponse(headers={**_PRIVATE, "Content-Disposition": name})
        response.headers[hdrs.CONTENT_TYPE] = kind.media_type
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            return response
        await response.write((kind.head + kind.write(first)).encode())
        try:
            async for batch in batches:
                await response.write(kind.write(batch).encode())
            await response.write_eof()
        except StoreUnavailable:
            # The headers are out: a file that is not whole must not look like one that is.
            log.warning("an export of the audit trail is cut off: JetStream does not answer")
            if request.transport is not None:
                request.transport.abort()
    return response


async def _views(
    request: web.Request, reader: AuditReader, search: Search, span: Span
) -> AsyncGenerator[list[AuditEntryView], None]:
    async with aclosing(reader.oldest_first(search, span)) as batches:
        async for entries in batches:
            if entries:
                yield await with_names(request.app, entries, request[PRINCIPAL])


def _must_see_everything(request: web.Request) -> None:
    if request[PRINCIPAL].assigned_only:
        raise Problem(
            "forbidden",
            "This account may not do that",
            403,
            "It sees only the leads that are assigned to it, and the trail is about all of them.",
        )
