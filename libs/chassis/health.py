"""Liveness and readiness.

``/healthz`` says that the process answers. ``/readyz`` says whether it can do its work now,
and which dependency is missing when it cannot.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from libs.chassis.errors import StoreUnavailable
from libs.chassis.tracebacks import safe_message, type_name

CHECK_SECONDS = 2.0
Check = Callable[[], Awaitable[str | None]]


class NotReady(Exception):
    """Raised by a check; its text is shown to whoever asks, so it must hold nothing secret."""


class Health:
    """The checks of one service."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self.draining = False
        self.production: Callable[[], Sequence[str]] | None = None
        """Says why the service is not fit for production; empty when it is."""

    def add(self, name: str, check: Check) -> None:
        """Register a check.

        Args:
            name: what is checked, in a word: "nats", "projection".
            check: returns a short detail or None when all is well; raises NotReady with the
                reason otherwise. It has two seconds.
        """
        self._checks[name] = check

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Run all checks at the same time; return whether all passed, and the document."""
        names = list(self._checks)
        results = await asyncio.gather(*(_run(self._checks[name]) for name in names))
        ready = not self.draining and all(result["ok"] for result in results)
        status = "draining" if self.draining else "ready" if ready else "not ready"
        document: dict[str, Any] = {
            "status": status,
            "checks": dict(zip(names, results, strict=True)),
        }
        if self.production is not None:
            reasons = list(self.production())
            document["production_ready"] = not reasons
            document["production_faults"] = reasons
        return ready, document


HEALTH = web.AppKey("health", Health)


def add_health_routes(app: web.Application) -> None:
    """Add ``/healthz`` and ``/readyz``."""
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)


async def _run(check: Check) -> dict[str, Any]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return {"ok": True, "detail": await check()}
    except (NotReady, StoreUnavailable) as error:
        return {"ok": False, "detail": str(error)}
    except TimeoutError:
        return {"ok": False, "detail": f"no answer within {CHECK_SECONDS:g} s"}
    except Exception as error:  # noqa: BLE001 - a broken check is a failed check
        return {"ok": False, "detail": safe_message(error) or type_name(error)}


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _readyz(request: web.Request) -> web.Response:
    ready, document = await request.app[HEALTH].report()
    return web.json_response(document, status=200 if ready else 503)
