"""What the projection tells Prometheus."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

_REASONS: Final = ("unknown", "undecodable")


class ProjectionMetrics:
    """Counts what went in and how far behind it is (`projector.Progress`).

    Args:
        registry: Where the metrics are shown.
        skipped: The store's running count of messages passed over, by reason.
    """

    def __init__(self, registry: CollectorRegistry, skipped: Mapping[str, int]) -> None:
        self._events = Counter(
            "events_projected", "Events taken into the projection.", registry=registry
        )
        self._lag = Gauge(
            "projection_lag_events",
            "Positions of the log that the projection has not seen yet.",
            registry=registry,
        )
        skipped_events = Gauge(
            "events_skipped",
            "Messages passed over since the start, since this version cannot read them.",
            ["reason"],
            registry=registry,
        )
        for reason in _REASONS:
            skipped_events.labels(reason).set_function(_count(skipped, reason))

    def projected(self, events: int) -> None:
        """See `Progress`."""
        self._events.inc(events)

    def lag(self, events: int) -> None:
        """See `Progress`."""
        self._lag.set(events)


def _count(skipped: Mapping[str, int], reason: str) -> Callable[[], float]:
    return lambda: skipped.get(reason, 0)
