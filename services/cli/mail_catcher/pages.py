"""The page: the list, a mail, its HTML in a box of its own, its source."""

import asyncio
from importlib import resources
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.cli.mail_catcher.folder import MailFolder, MailMissing
from services.cli.mail_catcher.guards import PAGE_POLICY, add_headers, guard
from services.cli.mail_catcher.links import links_of
from services.cli.mail_catcher.mails import Summary, open_mail, summarize
from services.cli.mail_catcher.words import linked

PAGE_SIZE: Final = 100
# More of a text than anybody reads here; the source has the rest.
_MAX_TEXT: Final = 200_000
# A mail's HTML is a stranger's: no script, no form, nothing loaded, an origin of its own.
_HTML_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_SOURCE_POLICY: Final = "sandbox; default-src 'none'"
_STATIC: Final = {"catcher.css": "text/css", "catcher.svg": "image/svg+xml"}


def build_app(folder: MailFolder, host: str) -> web.Application:
    """The application.

    Args:
        folder: the mails to show.
        host: where it will listen; see ``guards.guard``.
    """
    pages = Pages(folder)
    app = web.Application(middlewares=[pages.explain, guard(host)])
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/", pages.index)
    app.router.add_get("/mails/{id}", pages.mail)
    app.router.add_get("/mails/{id}/html", pages.html)
    app.router.add_get("/mails/{id}/source", pages.source)
    app.router.add_get("/clear", pages.ask_clear)
    app.router.add_post("/clear", pages.clear)
    app.router.add_get("/api/mails", pages.api)
    app.router.add_get("/healthz", pages.health)
    for name in _STATIC:
        app.router.add_get(f"/{name}", _static)
    return app


class Pages:
    """The handlers; the disk is read in threads, so that SMTP goes on meanwhile."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder
        self._environment = Environment(
            loader=PackageLoader("services.cli.mail_catcher"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def index(self, request: web.Request) -> web.Response:
        """The list, newest first; ``?before=<id>`` for older ones."""
        ids = await asyncio.to_thread(self._folder.ids)
        before = request.query.get("before")
        rest = [each for each in ids if before is None or each < before]
        mails = await asyncio.to_thread(self._folder.summaries, rest[:PAGE_SIZE])
        older = rest[PAGE_SIZE - 1] if len(rest) > PAGE_SIZE else None
        return self._page("index.html", mails=mails, count=len(ids), older=older, before=before)

    async def mail(self, request: web.Request) -> web.Response:
        """One mail."""
        mail_id, kept = await self._read(request)
        return self._page("mail.html", **await asyncio.to_thread(_shown, mail_id, kept))

    async def html(self, request: web.Request) -> web.Response:
        """A mail's HTML, as it came, locked up."""
        _, kept = await self._read(request)
        content = await asyncio.to_thread(open_mail, kept)
        if content.html is None:
            raise web.HTTPNotFound
        headers = {"Content-Security-Policy": _HTML_POLICY}
        return web.Response(text=content.html, content_type="text/html", headers=headers)

    async def source(self, request: web.Request) -> web.Response:
        """A mail as it is kept, byte for byte."""
        _, kept = await self._read(request)
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Security-Policy": _SOURCE_POLICY,
        }
        return web.Response(body=kept, headers=headers)

    async def ask_clear(self, _request: web.Request) -> web.Response:
        """Whether to delete all mails."""
        return self._page("clear.html", count=len(await asyncio.to_thread(self._folder.ids)))

    async def clear(self, _request: web.Request) -> web.Response:
        """Delete all mails."""
        await asyncio.to_thread(self._folder.clear)
        raise web.HTTPSeeOther("/")

    async def api(self, _request: web.Request) -> web.Response:
        """All mails, newest first, for tests and scripts."""
        ids = await asyncio.to_thread(self._folder.ids)
        mails = await asyncio.to_thread(self._folder.summaries, ids)
        return web.json_response([_as_json(each) for each in mails])

    async def health(self, _request: web.Request) -> web.Response:
        """200 while mails can be taken; SMTP listens before this page does."""
        if await asyncio.to_thread(self._folder.writable):
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "the folder cannot be written to"}, status=503)

    @web.middleware
    async def explain(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn what went wrong into a page."""
        try:
            return await handler(request)
        except (MailMissing, web.HTTPNotFound):
            return self._page("missing.html", 404)

    async def _read(self, request: web.Request) -> tuple[str, bytes]:
        mail_id = request.match_info["id"]
        return mail_id, await asyncio.to_thread(self._folder.read, mail_id)

    def _page(self, template: str, status: int = 200, /, **values: object) -> web.Response:
        text = self._environment.get_template(template).render(values)
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def _shown(mail_id: str, kept: bytes) -> dict[str, object]:
    """What the page of a mail shows."""
    content = open_mail(kept)
    text = content.text
    return {
        "mail": summarize(mail_id, kept),
        "content": content,
        "text": None if text is None else list(linked(text[:_MAX_TEXT])),
        "cut": len(text or "") > _MAX_TEXT,
        "links": links_of(content.html or ""),
        "size": len(kept),
    }


def _as_json(mail: Summary) -> dict[str, object]:
    return {
        "id": mail.id,
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "date": mail.date.isoformat() if mail.date else None,
        "received": mail.received.isoformat(),
    }


async def _static(request: web.Request) -> web.Response:
    name = request.path.lstrip("/")
    data = resources.files("services.cli.mail_catcher").joinpath("static", name).read_bytes()
    return web.Response(body=data, content_type=_STATIC[name], charset="utf-8")
