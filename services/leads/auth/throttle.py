"""Slows down who guesses passwords, without keeping the owner waiting (docs/adr/0025).

Failures are counted in lanes. Who comes from a place where the account has logged in before
has a lane of their own; everybody else shares the account's other lane, and one for their
address. So whoever guesses from elsewhere fills lanes in which the owner does not stand.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from time import monotonic
from typing import Final

KNOWN_PAUSE: Final = 60.0
UNKNOWN_PAUSE: Final = 900.0
"""Seconds, and so 96 guesses a day: NIST SP 800-63B-4, 3.2.2, asks for a limit of about 100."""
_FREE: Final = 5
_FREE_OF_ADDRESS: Final = 20
"""A whole office may stand behind one address."""
_FORGOTTEN_AFTER: Final = 86_400.0
_REMEMBERED: Final = 10_000
_PLACES: Final = 10
_IPV6_PREFIX: Final = 64


@dataclass(frozen=True, slots=True)
class Lane:
    """Where failures are counted together.

    Attributes:
        key: Its name.
        free: So many failures cost nothing; each further one doubles the pause.
        longest: The longest pause, in seconds.
    """

    key: str
    free: int = _FREE
    longest: float = KNOWN_PAUSE


def place_of(account_id: str, address: str) -> str:
    """Return the name that an account's record gives to an address.

    It is a digest, not a secret: there are few addresses. Of IPv6 the /64 counts, since hosts
    change the rest every day (RFC 8981).
    """
    try:
        ip = ip_address(address)
    except ValueError:
        network = address
    else:
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        wide = isinstance(ip, IPv6Address) and mapped is None
        network = str(ip_network((ip, _IPV6_PREFIX), strict=False) if wide else mapped or ip)
    return sha256(f"{account_id} {network}".encode()).hexdigest()[:32]


def with_place(places: tuple[str, ...], place: str) -> tuple[str, ...]:
    """Return the places with one more, or the same ones when it is among the newest."""
    if place in places[-_PLACES // 2 :]:
        return places
    return (*(one for one in places if one != place), place)[-_PLACES:]


def lanes(key: str, places: tuple[str, ...], account_id: str, address: str) -> tuple[Lane, ...]:
    """Return the lanes in which a guess at an account counts.

    Args:
        key: The account's bucket key, whether or not there is such an account.
        places: Where it has logged in.
        account_id: Its id; empty when there is none.
        address: Where the guess comes from.
    """
    place = place_of(account_id, address)
    if place in places:
        return (Lane(f"{key} {place}"),)
    shared = Lane(key, longest=UNKNOWN_PAUSE)
    return (shared, Lane(place_of("", address), free=_FREE_OF_ADDRESS))


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    free_at: float
    last_at: float


class Throttle:
    """Counts failures by lane, in this process, for a bounded number of lanes.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def pause_left(self, *lanes: Lane) -> int:
        """Return for how many whole seconds no attempt is allowed; 0 means go ahead."""
        found = (self._failures.get(lane.key) for lane in lanes)
        return max((self._left(one) for one in found if one is not None), default=0)

    def failed(self, *lanes: Lane) -> None:
        """Count a failure; beyond the free ones each doubles the pause."""
        for lane in lanes:
            self._count(lane)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def spare(self, *lanes: Lane) -> None:
        """Take back a failure that turned out not to be one."""
        for lane in lanes:
            before = self._failures.pop(lane.key, None)
            if before is not None and before.count > 1:
                count = before.count - 1
                free_at = self._clock() if count <= lane.free else before.free_at
                self._failures[lane.key] = _Failures(count, free_at, before.last_at)

    def succeeded(self, *lanes: Lane) -> None:
        """Forget the account's failures; an address, which may be anybody's, loses only one."""
        own, *others = lanes
        self._failures.pop(own.key, None)
        self.spare(*others)

    def _left(self, failures: _Failures) -> int:
        return max(0, ceil(failures.free_at - self._clock()))

    def _count(self, lane: Lane) -> None:
        now = self._clock()
        before = self._failures.pop(lane.key, None)
        recent = before is not None and now - before.last_at < _FORGOTTEN_AFTER
        count = before.count + 1 if before is not None and recent else 1
        over = count - lane.free
        pause = min(lane.longest, 2.0 ** min(over, 10)) if over > 0 else 0.0
        self._failures[lane.key] = _Failures(count, now + pause, now)
