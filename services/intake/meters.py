"""What the intake service counts."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_KB: Final = 1024
_SIZES: Final = tuple(_KB * size for size in (4, 16, 64, 256, 1024, 2048, 4096, 10240, 25600))


class Meters:
    """The service's own metrics, beside those of the chassis."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._submitted = Counter(
            "leads_submitted", "Submissions recorded in the log.", registry=registry
        )
        self._refused = Counter(
            "submissions_refused",
            "Submissions refused, by the problem they were answered with.",
            ("reason",),
            registry=registry,
        )
        self._bytes = Histogram(
            "resume_bytes",
            "Size of the resumes that were recorded.",
            buckets=_SIZES,
            registry=registry,
        )

    def submitted(self, size: int) -> None:
        """Count a new lead and the bytes of its resume."""
        self._submitted.inc()
        self._bytes.observe(size)

    def refused(self, slug: str) -> None:
        """Count a submission that was answered with a problem."""
        self._refused.labels(slug).inc()
