"""Slows down who guesses passwords, without keeping the owner waiting (docs/adr/0025).

Failures are counted in lanes. Who comes from a place where the account has logged in before
has a lane of their own; everybody else shares the account's other lane, and one for their
address. So whoever guesses from elsewhere fills lanes in which the owner does not stand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address
from math import ceil
from time import monotonic
from typing import Final

from libs.chassis.forwarded import network_of, parse_address

KNOWN_PAUSE: Final = 60.0
UNKNOWN_PAUSE: Final = 900.0
"""Seconds, and so 96 guesses a day: NIST SP 800-63B-4, 3.2.2, asks for a limit of about 100."""
_FREE: Final = 5
_FREE_OF_ADDRESS: Final = 20
"""A whole office may stand behind one address."""
_FREE_OF_SITE: Final = 100
_FORGOTTEN_AFTER: Final = 86_400.0
_REMEMBERED: Final = 10_000
_PLACES: Final = 10
_IPV6_PLACE: Final = 64
_IPV6_SITE: Final = 48
"""Bits: who is given so much (RFC 6177) has 65,536 places."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Where failures are counted together.

    Attributes:
        key: Its name.
        free: So many failures cost nothing; each further one doubles the pause.
        longest: The longest pause, in seconds.
        known: Whether only an owner at a known place stands there.
    """

    key: str
    free: int = _FREE
    longest: float = KNOWN_PAUSE
    known: bool = False


_CROWD: Final = Lane("the crowd")
"""Where failures at unknown places count while there is no room for a lane of their own."""


def place_of(account_id: str, address: str, *, ipv6_bits: int = _IPV6_PLACE) -> str:
    """Return the name that an account's record gives to an address.

    It is a digest, not a secret: there are few addresses. Of IPv6 the /64 counts, since hosts
    change the rest every day (RFC 8981).
    """
    network = network_of(address, ipv6_bits=ipv6_bits)
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
        return (Lane(f"{key} {place}", known=True),)
    shared = Lane(key, longest=UNKNOWN_PAUSE)
    near = Lane(place_of("", address), free=_FREE_OF_ADDRESS)
    if not isinstance(parse_address(address), IPv6Address):
        return (shared, near)
    site = Lane(place_of("", address, ipv6_bits=_IPV6_SITE), free=_FREE_OF_SITE)
    return (shared, near, site)


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    free_at: float
    last_at: float


class Throttle:
    """Counts failures by lane, in this process, for a bounded number of lanes.

    When there is no room for one more, the lane that has failed least goes, and never one that
    is paused: else whoever fails at made-up addresses would wash away the pause they are in.
    While all are paused, unknown places share one lane more; an owner at a known place takes
    the place of who would be free again first.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def pause_left(self, *lanes: Lane) -> int:
        """Return for how many whole seconds no attempt is allowed; 0 means go ahead."""
        found = (self._failures.get(self._counted_in(lane).key) for lane in lanes)
        return max((self._left(one) for one in found if one is not None), default=0)

    def failed(self, *lanes: Lane) -> None:
        """Count a failure; beyond the free ones each doubles the pause."""
        counted: set[Lane] = set()
        for lane in lanes:
            where = lane if self._has_room(lane) else _CROWD
            if where not in counted:
                self._count(where)
            counted.add(where)

    def spare(self, *lanes: Lane) -> None:
        """Take back a failure that turned out not to be one."""
        for lane in dict.fromkeys(map(self._counted_in, lanes)):
            before = self._failures.pop(lane.key, None)
            if before is not None and before.count > 1:
                count = before.count - 1
                free_at = self._clock() if count <= lane.free else before.free_at
                self._failures[lane.key] = _Failures(count, free_at, before.last_at)

    def succeeded(self, *lanes: Lane) -> None:
        """Forget the account's failures; what may be anybody's loses only one."""
        own, *others = lanes
        if self._failures.pop(own.key, None) is None:
            others = list(lanes)
        self.spare(*others)

    def _counted_in(self, lane: Lane) -> Lane:
        return lane if lane.known or lane.key in self._failures else _CROWD

    def _has_room(self, lane: Lane) -> bool:
        """Make room for a lane; False when it would have to be a paused one's."""
        crowded = _CROWD.key in self._failures
        if lane.key in self._failures or len(self._failures) - crowded < _REMEMBERED:
            return True
        now = self._clock()
        rows = [row for row in self._failures.items() if row[0] != _CROWD.key]
        key, least = min(rows, key=lambda row: _worth(row[1], now))
        if least.free_at > now:
            if not lane.known:
                return False
            key, _ = min(rows, key=lambda row: row[1].free_at)
        del self._failures[key]
        return True

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


def _worth(failures: _Failures, now: float) -> tuple[bool, int]:
    """Return what is lost by forgetting it; of those alike the oldest goes first."""
    forgotten = now - failures.last_at >= _FORGOTTEN_AFTER
    return failures.free_at > now, 0 if forgotten else failures.count
