"""What the NATS client reports in the background, as log lines that say what to do."""

import ssl
import time

import structlog
from nats.errors import SlowConsumerError

from libs.chassis.settings import ServiceSettings
from libs.chassis.tracebacks import safe_message, type_name

_REPEAT_SECONDS = 30.0

log = structlog.get_logger()


class ErrorLog:
    """Its ``report`` is the client's ``error_cb``.

    It must never raise: that would kill the client's read loop.

    While a server is away the client reports each attempt, twice a second; the same line is
    written once in 30 seconds.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._servers = ", ".join(settings.nats_url)
        self._user = settings.nats_user
        self._written: dict[str, float] = {}

    async def report(self, error: Exception) -> None:
        """Log one error."""
        try:
            self._log(error)
        except Exception:  # noqa: BLE001 - see the class
            log.error("nats: an error could not be described")  # noqa: TRY400

    def _log(self, error: Exception) -> None:
        event, advice = explain(error, self._servers, self._user)
        now = time.monotonic()
        key = f"{event} {error}"
        if now - self._written.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        if len(self._written) > 100:  # noqa: PLR2004 - any bound will do
            self._written.clear()
        self._written[key] = now
        reason = safe_message(error) or type_name(error)
        log.error(event, reason=reason, advice=advice)


def explain(error: Exception, servers: str, user: str | None) -> tuple[str, str]:
    """Return what happened and what to do, for an error of the NATS client."""
    text = str(error).lower()
    if "permissions violation" in text:
        return "nats: not allowed", _NOT_ALLOWED.format(who=_who(user))
    if "authorization violation" in text or "authentication" in text:
        return "nats: login refused", _REFUSED.format(servers=servers, who=_who(user))
    if isinstance(error, ssl.SSLError):
        return "nats: no TLS connection", _NO_TLS
    if isinstance(error, SlowConsumerError):
        return "nats: messages were dropped", "this process reads too slowly; add a replica"
    if isinstance(error, OSError | TimeoutError):
        return "nats: server not reachable", _AWAY.format(servers=servers)
    return "nats: error", "the client goes on by itself"


def _who(user: str | None) -> str:
    return f"user {user!r}" if user else "a connection without a user"


_NOT_ALLOWED = (
    "{who} lacks the permission for the subject named in the reason (the server reports it in "
    "lower case); add it to the server's configuration, or check that this service uses its own "
    "user"
)
_REFUSED = (
    "{servers} refused {who}; check LEADLOG_NATS_USER and LEADLOG_NATS_PASSWORD against the "
    "server's configuration"
)
_NO_TLS = (
    "check that LEADLOG_NATS_TLS_CA names the authority that signed the server's certificate, "
    "and that the host in LEADLOG_NATS_URL is one the certificate names"
)
_AWAY = "check that a nats-server runs at {servers} (LEADLOG_NATS_URL); trying on"
