"""Who may see the page, and what a browser may do with it."""

from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from libs.chassis.cross_site import is_cross_site
from libs.chassis.headers import SECURITY_HEADERS

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    **SECURITY_HEADERS,
    # Not "no-referrer": a form would then be sent with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": PAGE_POLICY,
}


def guard(host: str) -> Middleware:
    """Keep other web pages, open in the same browser, from reading or deleting mails.

    On loopback, a request must name this machine: a foreign name that resolves to 127.0.0.1
    (DNS rebinding) is refused. On any other address it cannot be known what names lead here.

    Args:
        host: where the page listens.
    """
    local = _is_loopback(host)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if local and not _is_loopback(_name(request.host)):
            raise web.HTTPForbidden(text="Open this page as http://localhost or by its address.")
        if request.method == "POST" and not _same_origin(request):
            raise web.HTTPForbidden(text="This form was sent from another page.")
        return await handler(request)

    return check


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Set what every answer carries, unless it has its own."""
    response.headers["Server"] = "leadlog"
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The Host header without its port; empty if it is none."""
    try:
        return URL(f"http://{host}").host or ""
    except ValueError:
        return ""


def _same_origin(request: web.Request) -> bool:
    return not is_cross_site(
        host=request.host,
        origin=request.headers.get("Origin"),
        fetch_site=request.headers.get("Sec-Fetch-Site"),
    )
