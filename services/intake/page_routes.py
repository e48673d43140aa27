"""The pages over HTTP, with their policy, style and icon."""

from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from services.intake.keys import PAGES

_STATIC: Final = ("intake.css", "intake.svg")


def page_response(
    request: web.Request, text: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A page, under the policy of all pages."""
    return web.Response(
        status=status,
        text=text,
        content_type="text/html",
        headers={
            "Content-Security-Policy": request.app[PAGES].policy,
            # Under "no-referrer" the form would be sent with "Origin: null".
            "Referrer-Policy": "same-origin",
            **(headers or {}),
        },
    )


async def show_form(request: web.Request) -> web.Response:
    """The hosted form."""
    return page_response(request, request.app[PAGES].form())


async def show_thanks(request: web.Request) -> web.Response:
    """The page after the form."""
    return page_response(request, request.app[PAGES].thank_you())


async def show_static(request: web.Request) -> web.FileResponse:
    """The form's style and icon."""
    folder = Path(str(resources.files("services.intake"))) / "static"
    return web.FileResponse(
        folder / request.path.rpartition("/")[2],
        headers={hdrs.CACHE_CONTROL: "public, max-age=3600"},
    )


def add_page_routes(app: web.Application) -> None:
    """Add the form, the thanks, the style and the icon."""
    app.router.add_get("/", show_form)
    app.router.add_get("/thank-you", show_thanks)
    for name in _STATIC:
        app.router.add_get(f"/{name}", show_static)
