"""The page behind a mailed link: it reads the token from the fragment, and sends it on."""

from pathlib import Path
from string import Template
from typing import Final

from aiohttp import web

from services.leads.auth.password_rules import MAX_LENGTH, MIN_LENGTH

_FOLDER: Final = Path(__file__).parent.parent / "pages"
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGES: Final = {
    "/invitation": ("Choose a password", "/auth/invitation"),
    "/password-reset": ("Choose a new password", "/auth/password-reset/confirm"),
}
_FILES: Final = {
    "/join/style.css": ("join.css", "text/css"),
    "/join/script.js": ("join.js", "text/javascript"),
}
JOIN_PATHS: Final = frozenset({*PAGES, *_FILES})


def add_join_pages(app: web.Application) -> None:
    """Add the two pages and what they load; all of it is read now."""
    template = Template((_FOLDER / "join.html").read_text("utf-8"))
    for path, (title, send_to) in PAGES.items():
        page = template.substitute(
            title=title, send_to=send_to, min_length=MIN_LENGTH, max_length=MAX_LENGTH
        )
        _add(app, path, page, "text/html", {"Content-Security-Policy": _CSP})
    for path, (name, kind) in _FILES.items():
        _add(app, path, (_FOLDER / name).read_text("utf-8"), kind, {})


def _add(app: web.Application, path: str, text: str, kind: str, headers: dict[str, str]) -> None:
    async def show(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)

    app.router.add_get(path, show)
