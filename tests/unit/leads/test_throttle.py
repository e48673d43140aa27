"""Guesses from elsewhere do not keep the owner out; guesses from anywhere become rare."""

from dataclasses import dataclass, field

import pytest

from services.leads.auth.throttle import (
    KNOWN_PAUSE,
    UNKNOWN_PAUSE,
    Lane,
    Throttle,
    lanes,
    place_of,
    with_place,
)

HOME, CAFE, ELSEWHERE = "203.0.113.7", "198.51.100.4", "192.0.2.99"
DAY = 86_400


@dataclass
class Door:
    """One account's login."""

    places: tuple[str, ...] = (place_of("lena", HOME),)
    clock: list[float] = field(default_factory=lambda: [0.0])
    throttle: Throttle = field(init=False)

    def __post_init__(self) -> None:
        self.throttle = Throttle(lambda: self.clock[0])

    def lanes(self, address: str, key: str = "account.lena") -> tuple[Lane, ...]:
        return lanes(key, self.places, "lena", address)

    def pause(self, address: str) -> int:
        return self.throttle.pause_left(*self.lanes(address))

    def guess(self, address: str, key: str = "account.lena") -> bool:
        """Guess wrong; False when it was not even looked at."""
        of = self.lanes(address, key)
        if self.throttle.pause_left(*of):
            return False
        self.throttle.failed(*of)
        return True

    def guess_for(self, address: str, seconds: int) -> int:
        """Guess whenever it is allowed; how often that was."""
        guesses, end = 0, self.clock[0] + seconds
        while self.clock[0] < end:
            guesses += self.guess(address)
            self.clock[0] += max(1, self.pause(address))
        return guesses


def test_the_owner_never_waits_for_who_guesses_from_elsewhere() -> None:
    door = Door()
    for number in range(3 * DAY // 60):
        door.guess(f"192.0.2.{number % 250}")
        door.clock[0] += 60
        assert door.pause(HOME) == 0
    assert door.pause(ELSEWHERE) > 0


def test_one_place_gets_about_a_hundred_guesses_a_day_with_all_others_together() -> None:
    door = Door()
    door.guess_for(ELSEWHERE, DAY)
    assert door.guess_for(ELSEWHERE, DAY) <= DAY / UNKNOWN_PAUSE + 1 <= 100


def test_unknown_places_share_one_lane() -> None:
    door = Door()
    looked_at = [door.guess(f"192.0.2.{number}") for number in range(100)]
    assert looked_at.count(True) == 6


def test_a_known_place_is_slowed_down_by_its_own_failures() -> None:
    door = Door()
    for _ in range(6):
        assert door.guess(HOME)
    assert door.pause(HOME) == 2
    assert door.guess_for(HOME, 3600) <= 3600 / KNOWN_PAUSE + 10


def test_two_known_places_do_not_slow_each_other_down() -> None:
    door = Door(places=(place_of("lena", HOME), place_of("lena", CAFE)))
    door.guess_for(CAFE, 3600)
    assert door.pause(HOME) == 0


def test_one_address_cannot_go_through_all_accounts() -> None:
    door = Door()
    looked_at = [door.guess(ELSEWHERE, f"account.{number}") for number in range(100)]
    assert looked_at.count(True) == 21


def test_a_success_forgets_the_lane_but_not_what_the_address_did_elsewhere() -> None:
    door = Door()
    for number in range(20):
        door.guess(ELSEWHERE, f"account.{number}")
    of = door.lanes(ELSEWHERE)
    door.throttle.failed(*of)
    door.throttle.succeeded(*of)
    assert door.throttle.pause_left(of[0]) == 0
    door.throttle.failed(of[1])
    assert door.throttle.pause_left(of[1]) > 0


def test_made_up_addresses_do_not_wash_away_a_pause() -> None:
    door = Door()
    while door.guess(ELSEWHERE):
        pass
    paused = door.pause(ELSEWHERE)
    for number in range(11_000):
        door.throttle.failed(Lane(f"account.made-up-{number}"))
    assert door.pause(ELSEWHERE) == paused > 0


def test_nor_failures_that_cost_nothing_yet() -> None:
    door = Door()
    for number in range(5):
        door.guess(f"192.0.2.{number}")
    for number in range(11_000):
        door.throttle.failed(Lane(f"account.made-up-{number}"))
    assert door.guess(ELSEWHERE)
    assert door.pause(ELSEWHERE) > 0


def full_of_pauses() -> Door:
    door = Door()
    for number in range(10_000):
        lane = Lane(f"account.made-up-{number}", free=0, longest=UNKNOWN_PAUSE)
        for _ in range(10):
            door.throttle.failed(lane)
    return door


def test_when_all_are_paused_unknown_places_share_one_lane_and_the_owner_waits_for_nobody() -> None:
    door = full_of_pauses()
    looked_at = [door.guess(f"192.0.2.{number}", f"account.{number}") for number in range(100)]
    assert looked_at.count(True) < 10
    assert 0 < door.pause(ELSEWHERE) <= KNOWN_PAUSE
    assert door.pause(HOME) == 0
    for _ in range(6):
        assert door.guess(HOME)
    assert door.pause(HOME) > 0, "also the known place is counted"
    assert len(door.throttle._failures) <= 10_001


def test_a_success_while_all_are_paused_takes_back_what_it_counted() -> None:
    door = full_of_pauses()
    of = door.lanes(ELSEWHERE)
    for _ in range(20):
        door.throttle.failed(*of)
        door.throttle.succeeded(*of)
        door.clock[0] += 1
    assert door.pause(ELSEWHERE) <= 2


def test_one_site_cannot_go_through_all_accounts_with_its_65536_networks() -> None:
    door = Door()
    addresses = [f"2001:db8:7:{number:x}::1" for number in range(300)]
    looked_at = [door.guess(one, f"account.{number}") for number, one in enumerate(addresses)]
    assert looked_at.count(True) == 101
    assert door.guess("2001:db8:8::1", "account.other-site")


def test_failures_are_forgotten_after_a_quiet_day() -> None:
    door = Door()
    door.guess_for(ELSEWHERE, DAY)
    door.clock[0] += DAY + UNKNOWN_PAUSE
    assert [door.guess(ELSEWHERE) for _ in range(5)] == [True] * 5
    assert door.pause(ELSEWHERE) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:aaaa::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", "", True),
    ],
)
def test_a_place_is_an_ipv4_address_or_an_ipv6_network(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert (place_of("lena", one) == place_of("lena", other)) is same
    assert place_of("lena", one) != place_of("omar", one)
    assert not one or one not in place_of("lena", one)


def test_the_ten_newest_places_are_remembered() -> None:
    places: tuple[str, ...] = ()
    for number in range(12):
        places = with_place(places, str(number))
    assert places == tuple(str(number) for number in range(2, 12))
    assert with_place(places, "11") is places
    assert with_place(places, "2")[-1] == "2"
