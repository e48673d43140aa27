"""What the notifier tells Prometheus."""

from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.notifier.smtp.answers import DeliveryError

_SEND_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAIT_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400)


class MailMetrics:
    """Counts mails and times them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Counter(
            "mails_sent", "Mails that the mail server took.", ["template"], registry=registry
        )
        self._failed = Counter(
            "mails_failed", "Mails that were given up.", ["template"], registry=registry
        )
        self._retried = Counter(
            "mails_retried", "Attempts after which a mail had to wait.", registry=registry
        )
        self._send_seconds = Histogram(
            "mail_send_seconds",
            "Time to render a mail and hand it over, waiting for a connection included.",
            buckets=_SEND_BUCKETS,
            registry=registry,
        )
        self._wait_seconds = Histogram(
            "submission_to_mail_seconds",
            "Time from the submission to the mail server's taking a mail of it.",
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self._connected = Gauge(
            "smtp_connected",
            "1 when the last attempt to use the mail server worked, 0 when it did not.",
            registry=registry,
        )
        self._faults = Counter(
            "smtp_faults",
            "Failed attempts to use the mail server that were no single mail's fault.",
            ["stage", "kind"],
            registry=registry,
        )
        self._lag = Gauge(
            "notifier_lag_events", "Events not yet taken up by any notifier.", registry=registry
        )
        self._outbox = Gauge(
            "notifier_outbox_mails",
            "Mails about accounts that are not done with; those that wait for a retry too.",
            registry=registry,
        )
        self._unsettled = Gauge(
            "notifier_unsettled_events",
            "Events taken up whose mails are not all done with; those that wait for a retry too.",
            registry=registry,
        )

    def sent(
        self, template: str, seconds: float, since_submission: timedelta | None = None
    ) -> None:
        """A mail was taken; of a submission, if it has to do with one."""
        self._sent.labels(template).inc()
        self._send_seconds.observe(seconds)
        if since_submission is not None:
            self._wait_seconds.observe(max(0.0, since_submission.total_seconds()))

    def failed(self, template: str) -> None:
        """A mail was given up."""
        self._failed.labels(template).inc()

    def retried(self) -> None:
        """A mail has to wait."""
        self._retried.inc()

    def server_state(self, fault: DeliveryError | None) -> None:
        """What became of the last attempt to use the mail server."""
        self._connected.set(fault is None)
        if fault is not None:
            self._faults.labels(fault.stage.value, type(fault).__name__.lower()).inc()

    def lag(self, pending: int, unsettled: int) -> None:
        """How far behind the consumer is."""
        self._lag.set(pending)
        self._unsettled.set(unsettled)

    def outbox(self, waiting: int) -> None:
        """How many mails about accounts wait."""
        self._outbox.set(waiting)
