"""How many challenges an address may have."""

import pytest

from services.leads.auth.mfa.allowance import PER_MINUTE, Allowance, TooManyChallenges


def spend(allowance: Allowance, address: str) -> None:
    for _ in range(PER_MINUTE):
        allowance.take(address)


def test_an_address_has_its_share_of_a_minute_and_then_again() -> None:
    clock = [0.0]
    allowance = Allowance(lambda: clock[0])
    spend(allowance, "192.0.2.1")
    clock[0] = 20.0
    with pytest.raises(TooManyChallenges) as refused:
        allowance.take("192.0.2.1")
    assert refused.value.seconds == 40
    allowance.take("192.0.2.2")
    clock[0] = 60.0
    spend(allowance, "192.0.2.1")


def test_the_addresses_of_one_ipv6_customer_are_one() -> None:
    allowance = Allowance(lambda: 0.0)
    spend(allowance, "2001:db8::1")
    with pytest.raises(TooManyChallenges):
        allowance.take("2001:db8::ffff:2%eth0")
    allowance.take("2001:db8:0:1::1")


def test_an_ipv4_address_in_ipv6_clothes_is_that_address_and_no_network_of_many() -> None:
    allowance = Allowance(lambda: 0.0)
    spend(allowance, "::ffff:192.0.2.1")
    with pytest.raises(TooManyChallenges):
        allowance.take("192.0.2.1")
    allowance.take("::ffff:192.0.2.2")


@pytest.mark.parametrize("address", ["", "unknown"])
def test_what_is_no_address_shares_one_allowance(address: str) -> None:
    allowance = Allowance(lambda: 0.0)
    spend(allowance, "")
    with pytest.raises(TooManyChallenges):
        allowance.take(address)


def test_no_more_addresses_are_remembered_than_there_is_room_for() -> None:
    allowance = Allowance(lambda: 0.0)
    for number in range(10_050):
        allowance.take(f"10.0.{number // 256}.{number % 256}")
    assert len(allowance._counts) == 10_000
