"""What scanning tells Prometheus."""

import asyncio
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError
from prometheus_client import CollectorRegistry, Counter, Gauge

from libs.chassis.tasks import still_wanted
from libs.events import STREAM, Verdict

_EVERY_SECONDS: Final = 2.0


class ScanMetrics:
    """Counts results and what waits (`scanner.Told`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._scans = Counter(
            "resume_scans",
            "Results of virus scans that this replica has written.",
            ["verdict"],
            registry=registry,
        )
        for verdict in Verdict:
            self._scans.labels(verdict.value)
        self._waiting = Gauge(
            "resume_scans_waiting",
            "Resumes that no replica has scanned yet.",
            registry=registry,
        )
        self._away = Gauge(
            "clamd_away", "1 while clamd does not answer this replica.", registry=registry
        )

    def scanned(self, verdict: Verdict) -> None:
        """See `Told`."""
        self._scans.labels(verdict.value).inc()

    def away(self, *, is_away: bool) -> None:
        """See `Told`."""
        self._away.set(is_away)

    async def watch(self, js: JetStreamContext, consumer: str) -> None:
        """Ask the server how many wait, until cancelled."""
        while True:
            still_wanted()
            try:
                info = await js.consumer_info(STREAM, consumer)
            except (APIError, nats.errors.Error, TimeoutError):
                pass  # it is not made yet, or away: the last number stands
            else:
                self._waiting.set((info.num_pending or 0) + (info.num_ack_pending or 0))
            await asyncio.sleep(_EVERY_SECONDS)
