"""Refusals that anybody can cause without end: some are put on record, the others are counted.

The trail cannot be shortened, so whoever floods the service must not be able to fill the disk
with it (docs/adr/0017).
"""

from time import monotonic
from typing import Final

from aiohttp import web

from libs.audit.entry import network_of
from libs.chassis.client_address import client_address
from libs.chassis.rate_limit import RateLimiter
from services.leads.audit import note
from services.leads.background import BACKGROUND

NETWORK_SECONDS: Final = 60.0
NETWORK_BURST: Final = 5
SECONDS: Final = 30.0
BURST: Final = 60


class Refusals:
    """Says which refusals are noted, in this process [pure: the time comes in].

    Five at once and then one a minute of each kind and network; of each kind 60 at once and then
    two a minute, whatever the number of networks: 2,880 a day, about a megabyte.
    """

    def __init__(self) -> None:
        self._each = RateLimiter(seconds=NETWORK_SECONDS, burst=NETWORK_BURST)
        self._all = RateLimiter(seconds=SECONDS, burst=BURST)
        self._passed_over: dict[str, int] = {}

    def take(self, kind: str, network: str, now: float) -> int | None:
        """Return how many of this kind were passed over before, or None: this one is, too.

        Args:
            kind: one of a few words of ours.
            network: where it came from.
            now: seconds that only go forward.
        """
        if self._each.take(f"{kind} {network}", now) or self._all.take(kind, now):
            self._passed_over[kind] = self._passed_over.get(kind, 0) + 1
            return None
        return self._passed_over.pop(kind, 0)


REFUSALS: Final = web.AppKey("refusals", Refusals)


def note_refusal(
    request: web.Request, action: str, *, reason: str, target: str | None = None
) -> None:
    """Note a refusal after the answer, if it is one of those that are noted.

    Nothing is handed out here, so the answer need not wait for the disk.

    Args:
        request: says who asked, and from where.
        action: ``<area>.<verb>``.
        reason: a word or a few of ours.
        target: whom or what it was about.
    """
    network = network_of(client_address(request)) or ""
    before = request.app[REFUSALS].take(action, network, monotonic())
    if before is None:
        return
    said: dict[str, str | int | bool] = {"reason": reason}
    if before:
        said["passed_over"] = before
    work = note(request, action, target=target, outcome="refused", said=said)
    request.app[BACKGROUND].start(work, "the note of a refusal")
