"""What the projection tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ProjectionMetrics:
    """Counts what went in and how far behind it is (`projector.Progress`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "events_projected", "Events taken into the projection.", registry=registry
        )
        self._lag = Gauge(
            "projection_lag_events",
            "Positions of the log that the projection has not seen yet.",
            registry=registry,
        )

    def projected(self, events: int) -> None:
        """See `Progress`."""
        self._events.inc(events)

    def lag(self, events: int) -> None:
        """See `Progress`."""
        self._lag.set(events)
