"""Prometheus metrics, one registry for each application, served on a port of its own."""

from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from libs.chassis.headers import SECURITY_HEADERS
from libs.chassis.ports import listen
from libs.chassis.settings import ServiceSettings

# Seconds. An upload waits for an fsync and, at worst, for a leader to be elected (up to 10 s).
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Metrics:
    """What every service counts; a service adds its own metrics to ``registry``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        labels = ("method", "route", "status")
        self._requests = Counter(
            "http_requests", "Requests answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the end of its handler.",
            labels[:2],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; ``route`` is the template, so that ids make no new series."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


METRICS = web.AppKey("metrics", Metrics)


async def metrics_site(app: web.Application, settings: ServiceSettings) -> AsyncIterator[None]:
    """Serve ``/metrics`` on the metrics port while the application runs; port 0 turns it off.

    Raises:
        PortUnavailable: the port is taken.
    """
    if settings.metrics_port == 0:
        yield
        return

    async def show(_: web.Request) -> web.Response:
        return web.Response(
            body=app[METRICS].exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    site_app = web.Application()
    site_app.router.add_get("/metrics", show)
    site_app.on_response_prepare.append(_add_headers)
    runner = web.AppRunner(
        site_app,
        access_log=None,
        shutdown_timeout=1,
        keepalive_timeout=settings.idle_seconds,
    )
    await runner.setup()
    try:
        await listen(runner, settings.metrics_host, settings.metrics_port, setting="metrics_port")
        yield
    finally:
        await runner.cleanup()


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "leadlog"
    response.headers.update(SECURITY_HEADERS)
