"""A service as a process of its own, for the lifecycle tests: ``python -m ... <what>``."""

import asyncio
import sys

from aiohttp import web

from libs.chassis.lifecycle import run_service, supervise
from libs.chassis.logs import configure_logging
from libs.chassis.settings import ServiceSettings, load_settings
from libs.chassis.web import new_app


class DemoSettings(ServiceSettings, service="leads"):
    pass


async def slow(request: web.Request) -> web.StreamResponse:
    """Send the head at once, so that a client knows it is in hand, and the body later."""
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.sleep(float(request.query["seconds"]))
    await response.write(b"done")
    return response


async def die_when_asked(trigger: asyncio.Event, *, quietly: bool) -> None:
    await trigger.wait()
    if not quietly:
        raise RuntimeError("Zebedee")


async def clean_up_slowly(_: web.Application):  # type: ignore[no-untyped-def] # noqa: ANN201
    yield
    await asyncio.sleep(0.1)
    print("cleaned up", flush=True)  # noqa: T201 - the test reads it


async def never_close(_: web.Application):  # type: ignore[no-untyped-def] # noqa: ANN201
    yield
    await asyncio.Event().wait()


async def never_open(_: web.Application):  # type: ignore[no-untyped-def] # noqa: ANN201
    print("opening", flush=True)  # noqa: T201 - the test waits for it
    await asyncio.Event().wait()
    yield


async def fail_to_open(_: web.Application):  # type: ignore[no-untyped-def] # noqa: ANN201
    raise ValueError("Zebedee")
    yield


LAST = {"stuck": never_close, "endless": never_open, "broken": fail_to_open}


def main() -> None:
    what = sys.argv[1]
    settings = load_settings(DemoSettings)
    configure_logging("leads", settings.log_level, "json")
    app = new_app(settings, service="leads", errors={})
    app.router.add_get("/slow", slow)
    app.cleanup_ctx.append(clean_up_slowly)
    if what in LAST:
        app.cleanup_ctx.append(LAST[what])
    trigger = asyncio.Event()

    async def kill(_: web.Request) -> web.Response:
        trigger.set()
        return web.Response(text="soon")

    app.router.add_get("/kill", kill)
    if what in {"raise", "return"}:
        supervise(app, "worker", lambda: die_when_asked(trigger, quietly=what == "return"))
    run_service(app, settings)


if __name__ == "__main__":
    main()
