"""The HTTP application every service starts from."""

import functools
import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from libs.chassis.client_address import TRUSTED_PROXIES, client_scheme
from libs.chassis.headers import security_headers
from libs.chassis.health import HEALTH, Health, add_health_routes
from libs.chassis.lifecycle import LIFE, Life
from libs.chassis.metrics import METRICS, Metrics, metrics_site
from libs.chassis.problems import CLIENT_GONE, ErrorTable, mark_started, problem_middleware
from libs.chassis.request_id import HEADER, request_id
from libs.chassis.requests import BODY_SECONDS
from libs.chassis.settings import ServiceSettings

# For bodies that are parsed in memory; streamed uploads have a limit of their own.
MAX_BODY_BYTES = 1024 * 1024
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BEHIND_TLS = web.AppKey("behind_tls", bool)
_QUIET = frozenset({"/healthz", "/readyz"})

log = structlog.get_logger()


def new_app(
    settings: ServiceSettings,
    *,
    service: str,
    errors: ErrorTable,
    client_max_size: int = MAX_BODY_BYTES,
) -> web.Application:
    """Build an application with request ids, logs, metrics, problems, headers and health.

    Args:
        settings: host and port of the metrics site are taken from here.
        service: the service's name.
        errors: how the service's own errors are answered.
        client_max_size: bytes of a request body that ``request.read()`` accepts.
    """
    app = web.Application(
        middlewares=[_observe(), problem_middleware(errors)], client_max_size=client_max_size
    )
    app[HEALTH], app[METRICS], app[LIFE] = Health(), Metrics(), Life(service)
    app[TRUSTED_PROXIES] = tuple(settings.trusted_proxies)
    app[BODY_SECONDS] = settings.body_timeout_seconds
    app[_BEHIND_TLS] = settings.behind_tls
    app.on_response_prepare.extend([_add_headers, _close_while_draining, mark_started])
    app.cleanup_ctx.append(functools.partial(metrics_site, settings=settings))
    add_health_routes(app)
    return app


async def _close_while_draining(request: web.Request, response: web.StreamResponse) -> None:
    """Let go of a kept connection: its next request belongs to another replica."""
    if request.app[HEALTH].draining:
        response.force_close()


def route_template(request: web.Request) -> str:
    """Return the matched route as it was declared (``/leads/{id}``), or ``unmatched``."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def _observe() -> Middleware:
    """Return the outermost middleware: it gives the request its id and says how it went."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        status = CLIENT_GONE  # what remains when the handler is cancelled or its answer cut off
        with structlog.contextvars.bound_contextvars(request_id=request_id(request)):
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as redirect:
                status = redirect.status
                raise
            else:
                return response
            finally:
                _record(request, status, time.perf_counter() - started)

    return observe


def _record(request: web.Request, status: int, seconds: float) -> None:
    """Write the access line and count: nothing of the query string or the client's address."""
    method = request.method if request.method in _METHODS else "OTHER"
    route = route_template(request)
    request.app[METRICS].observe(method, route, status, seconds)
    write = log.debug if route in _QUIET else log.info
    write("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[HEADER] = request_id(request)
    response.headers["Server"] = "leadlog"
    tls = request.app[_BEHIND_TLS] or client_scheme(request) == "https"
    for name, value in security_headers(tls=tls).items():
        response.headers.setdefault(name, value)
