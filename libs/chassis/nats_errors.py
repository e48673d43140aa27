"""What the NATS client reports in the background, as log lines that say what to do."""

import re
import ssl
import time
from collections.abc import Callable
from typing import Final

import structlog
from nats.errors import SlowConsumerError

from libs.chassis.settings import ServiceSettings
from libs.chassis.tracebacks import safe_message, type_name

_REPEAT_SECONDS = 30.0
_LATELY_SECONDS: Final = 60.0
_VIOLATION: Final = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]*)\"")

log = structlog.get_logger()


class ErrorLog:
    """Its ``report`` is the client's ``error_cb``.

    It must never raise: that would kill the client's read loop.

    While a server is away the client reports each attempt, twice a second; the same line is
    written once in 30 seconds.
    """

    def __init__(
        self, settings: ServiceSettings, service: str, give_up: Callable[[], None]
    ) -> None:
        """Report for one service.

        Args:
            settings: of the service.
            service: its user at NATS.
            give_up: called when the service cannot work with what the server lets it do.
        """
        self._service = service
        self._give_up = give_up
        self._last_denied: tuple[str, float] | None = None
        self._servers = ", ".join(settings.nats_url)
        self._user = settings.nats_user or (service if settings.nats_nkey_seed else None)
        self._written: dict[str, float] = {}

    async def report(self, error: Exception) -> None:
        """Log one error."""
        try:
            self._log(error)
        except Exception:  # noqa: BLE001 - see the class
            log.error("nats: an error could not be described")  # noqa: TRY400

    @property
    def denied(self) -> str | None:
        """What the server has refused lately, for ``/readyz``."""
        if self._last_denied is None or time.monotonic() - self._last_denied[1] > _LATELY_SECONDS:
            return None
        return f"not allowed to {self._last_denied[0]}"

    def _log(self, error: Exception) -> None:
        if (denied := _denied(error)) is not None:
            self._last_denied = (denied, time.monotonic())
            if denied.startswith(f"listen to _inbox_{self._service}."):
                self._end_as_somebody_else()
                return
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

    def _end_as_somebody_else(self) -> None:
        log.error(
            "nats: this key or password is another user's",
            advice=f"the server does not let it listen to _INBOX_{self._service}; give this "
            f"service the seed of the user {self._service!r} in LEADLOG_NATS_NKEY_SEED",
        )
        self._give_up()


def _denied(error: Exception) -> str | None:
    """What the server did not allow, as it names it: in lower case."""
    found = _VIOLATION.search(str(error).lower())
    if found is None:
        return None
    what = {"publish": "publish to", "subscription": "listen to"}[found[1]]
    return f"{what} {found[2]}"


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
    "{servers} refused {who}; check LEADLOG_NATS_NKEY_SEED, or LEADLOG_NATS_USER and "
    "LEADLOG_NATS_PASSWORD, against the server's configuration"
)
_NO_TLS = (
    "check that LEADLOG_NATS_TLS_CA names the authority that signed the server's certificate, "
    "that the host in LEADLOG_NATS_URL is one the certificate names, and that the server speaks "
    "TLS right away (handshake_first, as in deploy/nats/tls.conf)"
)
_AWAY = "check that a nats-server runs at {servers} (LEADLOG_NATS_URL); trying on"
