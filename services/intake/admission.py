"""Who may send the form now: no other site's page, and nobody too often."""

import math
import time
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import hdrs, web

from libs.chassis.client_address import client_address
from libs.chassis.connections import exempt_from_limits
from libs.chassis.cross_site import is_cross_site
from libs.chassis.forwarded import network_of
from libs.chassis.rate_limit import RateLimiter
from services.intake.settings import IntakeSettings

_MINUTE: Final = 60.0
_log = structlog.get_logger(__name__)


class CrossSite(Exception):
    """A page of another site sent the form."""


class TooOften(Exception):
    """An address sends more forms than it may; ``seconds`` until it may again."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too often")
        self.seconds = max(1, math.ceil(seconds))


class Admission:
    """The door of the form."""

    def __init__(self, settings: IntakeSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._allowed = frozenset(settings.allowed_origins)
        self._trusted = tuple(settings.trusted_proxies)
        self._limiter = _limiter(settings)
        self._now = now

    def check_site(self, request: web.Request) -> None:
        """Refuse what another site's page sent.

        Raises:
            CrossSite: it did, and its origin is not allowed.
        """
        if is_cross_site(
            host=request.host,
            origin=request.headers.get(hdrs.ORIGIN),
            fetch_site=request.headers.get("Sec-Fetch-Site"),
            allowed=self._allowed,
        ):
            raise CrossSite

    def check_rate(self, request: web.Request) -> None:
        """Count the form for its sender's address.

        Raises:
            TooOften: there were too many.
        """
        address = client_address(request)
        if self._limiter is None or exempt_from_limits(address, self._trusted):
            return
        wait = self._limiter.take(network_of(address), self._now())
        if wait:
            # The address itself is personal data and stays out of the log.
            _log.info("form refused: its address sends too many", retry_after=math.ceil(wait))
            raise TooOften(wait)


def _limiter(settings: IntakeSettings) -> RateLimiter | None:
    if not settings.submissions_per_minute:
        return None
    seconds = _MINUTE / settings.submissions_per_minute
    return RateLimiter(seconds=seconds, burst=settings.submissions_burst)
