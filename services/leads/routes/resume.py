"""`GET /leads/{id}/resume`: the uploaded file, streamed; never shown inside the browser."""

import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import structlog
from aiohttp import hdrs, web

from libs.chassis.api import Header, Parameter, ResponseSpec, path_uuid
from libs.chassis.errors import StoreUnavailable
from libs.chassis.problems import Problem
from libs.resumes import ResumeDamaged, ResumeMissing
from services.leads.audit import note
from services.leads.keys import RESUMES, scans
from services.leads.quarantine import Refusal, refusal_of
from services.leads.routes.api import POSITION_PARAMETER, api
from services.leads.routes.positions import wait_for_position
from services.leads.routes.reading import visible_row
from services.leads.views import verdict_of

_DOCUMENTS: Final = frozenset(
    {
        "application/msword",
        "application/pdf",
        "application/rtf",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "text/plain",
    }
)
"""What is named as it is. A script, say, would run as one in a page of ours that includes it:
`attachment` and the policy say nothing about that, its media type and `nosniff` do."""
_ATTR_CHARS: Final = "!#$&+-.^_`|~"
"""What RFC 8187 leaves unencoded besides letters and digits."""
_ETAG_HEADER: Final = {"ETag": Header("The file's SHA-256.")}

log = structlog.get_logger(__name__)


@api.operation(
    "GET",
    "/leads/{id}/resume",
    summary="Download a lead's resume",
    description=(
        "Where resumes are scanned for viruses, one that was not scanned yet is answered with 409"
        " `resume-not-scanned`, and one with a virus with 403 `resume-quarantined`, until an"
        " administrator releases it."
    ),
    responses={
        200: ResponseSpec(
            {"*/*": {"type": "string", "format": "binary"}},
            "The file, with its own media type.",
            {**_ETAG_HEADER, "Content-Disposition": Header("Always `attachment`.")},
        ),
        304: ResponseSpec({}, "The client has it already.", _ETAG_HEADER),
    },
    problems=(403, 409, 410, 422, 500, 503),
    security=True,
    tags=["leads"],
    parameters=[
        POSITION_PARAMETER,
        Parameter("If-None-Match", "The `ETag` of a copy the client has."),
    ],
)
async def download_resume(request: web.Request) -> web.StreamResponse:
    """Stream the file."""
    lead_id = path_uuid(request, "id")
    await wait_for_position(request)
    row = await visible_row(request, lead_id)
    await _refuse(request, dict(row._mapping), lead_id)  # noqa: SLF001 - SQLAlchemy's documented name
    headers = _headers(row.resume_file_name, row.resume_media_type, row.resume_sha256)
    unchanged = any(tag.value in {row.resume_sha256, "*"} for tag in request.if_none_match or ())
    # Who has it already and looks at it again has read it again.
    await note(request, "resume.read", target=f"lead:{lead_id}", sent=not unchanged)
    if unchanged:
        return web.Response(status=304, headers=headers)
    response = web.StreamResponse(headers=headers)
    response.content_length = row.resume_size
    if request.method == hdrs.METH_HEAD:
        return response
    await _stream(request, response, request.app[RESUMES].read(row.resume_object), lead_id)
    return response


async def _refuse(request: web.Request, row: Mapping[str, Any], lead_id: UUID) -> None:
    """Hold the file back, and note that somebody wanted it."""
    reason = refusal_of(
        verdict_of(row), released=bool(row["resume_released"]), scanning=scans(request)
    )
    if reason is None:
        return
    await note(request, "resume.read", target=f"lead:{lead_id}", outcome="refused", reason=reason)
    problem = _REFUSALS[reason]
    raise problem()


def _not_scanned() -> Problem:
    return Problem(
        "resume-not-scanned",
        "The resume is not scanned for viruses yet",
        409,
        "Try again in a moment. If it stays so, the virus scanner is away: ask your administrator.",
        headers={"Retry-After": "5"},
    )


def _quarantined() -> Problem:
    return Problem(
        "resume-quarantined",
        "A virus was found in the resume",
        403,
        "The lead itself is fine: reach out, and ask for the resume again. If you are sure that"
        " it is a false alarm, an administrator can release the file.",
    )


_REFUSALS: Final[dict[Refusal, Callable[[], Problem]]] = {
    "not-scanned": _not_scanned,
    "quarantined": _quarantined,
}


async def _stream(
    request: web.Request,
    response: web.StreamResponse,
    pieces: AsyncIterator[bytes],
    lead_id: UUID,
) -> None:
    """Send the pieces, one behind what was read.

    The digest is known to be right only after the last piece. Since that piece is still held
    back then, a damaged file never arrives whole: the connection is cut before its end.
    """
    held = await _first(pieces)
    await response.prepare(request)
    try:
        async for piece in pieces:
            await response.write(held)
            held = piece
        await response.write(held)
        await response.write_eof()
    except (ResumeDamaged, ResumeMissing, StoreUnavailable) as error:
        log.error("resume cut off", lead_id=str(lead_id), reason=type(error).__name__)  # noqa: TRY400 - the type says it all
        if request.transport is not None:
            request.transport.abort()


async def _first(pieces: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(pieces, b"")
    except ResumeMissing:
        raise Problem(
            "resume-gone", "The resume is gone", 410, "The lead is known, its file is not stored."
        ) from None
    except ResumeDamaged:
        raise Problem(
            "resume-damaged",
            "The stored resume is damaged",
            500,
            "Restore the object store RESUMES from a backup.",
        ) from None


def _headers(file_name: str, media_type: str, sha256: str) -> dict[str, str]:
    safe = media_type if media_type in _DOCUMENTS else "application/octet-stream"
    return {
        "Content-Type": safe,
        "Content-Disposition": content_disposition(file_name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{sha256}"',
    }


def content_disposition(file_name: str) -> str:
    """Return an `attachment` with the name twice: in ASCII for old clients, and as it is.

    RFC 6266, with RFC 8187 for the second form.
    """
    decomposed = unicodedata.normalize("NFKD", file_name).encode("ascii", "ignore").decode()
    plain = re.sub(r'[^\x20-\x7e]|["\\%/;]', "_", decomposed).strip(" .") or "resume"
    encoded = quote(file_name, safe=_ATTR_CHARS, errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
