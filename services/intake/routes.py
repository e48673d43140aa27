"""The HTTP side: the form in, a receipt or a page out."""

import re
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import hdrs, web

import libs
from libs.chassis.api import Api
from libs.chassis.problems import Problem
from services.intake import contract
from services.intake.cors import PATH, preflight
from services.intake.fields import KEY_FIELD
from services.intake.form import Form
from services.intake.idempotency import HEADER, InvalidKey, check_key
from services.intake.keys import ADMISSION, METERS, PAGES, RECORDER, SETTINGS, SLOTS, TASKS
from services.intake.negotiation import prefers_html
from services.intake.page_routes import add_page_routes, page_response
from services.intake.problems import problem_for
from services.intake.receive import ClientGone, receive
from services.intake.recorder import Receipt
from services.intake.submission import Submission, examine

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_log = structlog.get_logger(__name__)

api = Api("Leadlog intake", libs.__version__, "Where a prospect's form goes.")


@api.operation(
    "POST",
    PATH,
    summary="Submit a lead",
    description="The form of a prospect with a resume. A browser, which asks for `text/html`, "
    "is sent on to a page; a script gets JSON.",
    multipart=contract.form_schema(),
    extra={"requestBody": contract.form_body()},
    responses=contract.RESPONSES,
    problems=contract.PROBLEMS,
    parameters=[contract.KEY_PARAMETER],
    tags=["leads"],
)
async def submit_lead(request: web.Request) -> web.Response:
    """Take a form in; answer a program with JSON and a browser with a page."""
    form = Form()
    try:
        receipt = await _take_in(request, form)
    except Exception as error:
        problem = problem_for(error)
        if problem is None:
            raise
        request.app[METERS].refused(problem.slug)
        if isinstance(error, ClientGone):
            _log.info("client hung up while it was sending")
        if not _is_browser(request):
            raise
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.warning("request failed", problem=problem.slug, exc_info=error)
        return _form_again(request, form, problem)
    return _accepted(request, receipt)


async def _take_in(request: web.Request, form: Form) -> Receipt:
    app = request.app
    app[ADMISSION].check_site(request)
    with app[SLOTS].take():
        submission, key = await _read(request, form)
        # From here on a client that hangs up stops nothing half-way.
        return await app[TASKS].finish(_record(app, form, submission, key, _trace(request)))


async def _read(request: web.Request, form: Form) -> tuple[Submission, str | None]:
    """Nothing is stored before this has gone through."""
    settings, admission = request.app[SETTINGS], request.app[ADMISSION]
    keep_fields = _is_browser(request)
    if not keep_fields:
        admission.check_rate(request)
    try:
        key = _header_key(request)
        await receive(
            request,
            form,
            settings.form_limits,
            settings.body_timeout_seconds,
            keep_fields=keep_fields,
        )
        if keep_fields:  # only now is there something to show again
            admission.check_rate(request)
        submission = await examine(form)
        return submission, key or check_key(submission.form_key)
    except BaseException:
        form.close()
        raise


async def _record(
    app: web.Application, form: Form, submission: Submission, key: str | None, trace: str | None
) -> Receipt:
    with form:
        receipt = await app[RECORDER].record(submission, key, trace)
    if not receipt.repeated:
        app[METERS].submitted(submission.upload.size)
    _log.info("lead submitted", lead_id=str(receipt.lead_id), repeated=receipt.repeated)
    return receipt


def _header_key(request: web.Request) -> str | None:
    sent = request.headers.getall(HEADER, [])
    if len(sent) > 1:
        raise InvalidKey
    return check_key(sent[0]) if sent else None


def _trace(request: web.Request) -> str | None:
    sent = request.headers.get("traceparent", "")
    return sent if _TRACEPARENT.fullmatch(sent) else None


def _is_browser(request: web.Request) -> bool:
    return prefers_html(",".join(request.headers.getall(hdrs.ACCEPT, [])))


def _accepted(request: web.Request, receipt: Receipt) -> web.Response:
    headers = {contract.POSITION: str(receipt.position)}
    if _is_browser(request):
        # Relative, so that it holds behind a proxy that adds a path of its own.
        headers[hdrs.LOCATION] = request.app[SETTINGS].thank_you_url or "thank-you"
        return web.Response(status=303, headers=headers)
    accepted = contract.LeadAccepted(lead_id=receipt.lead_id, submitted_at=receipt.submitted_at)
    return web.Response(
        status=202,
        body=accepted.model_dump_json().encode(),
        content_type="application/json",
        headers=headers,
    )


def _form_again(request: web.Request, form: Form, problem: Problem) -> web.Response:
    sent = form.text()
    text = request.app[PAGES].form_again(sent, sent.get(KEY_FIELD, ""), problem)
    return page_response(request, text, status=problem.status, headers=problem.headers)


def add_routes(app: web.Application) -> None:
    """Add every route of the service."""
    api.install(app)
    app.router.add_route(hdrs.METH_OPTIONS, PATH, preflight)
    add_page_routes(app)
