"""How many refusals a flood can put on record."""

from hypothesis import given
from hypothesis import strategies as st

from services.leads.refusals import BURST, NETWORK_BURST, NETWORK_SECONDS, SECONDS, Refusals

KIND = "access.token-refused"


def test_a_flood_from_one_network_leaves_few_entries_and_its_number() -> None:
    refusals = Refusals()
    taken = [refusals.take(KIND, "192.0.2.0/24", 0.001 * n) for n in range(1000)]
    assert taken[:NETWORK_BURST] == [0] * NETWORK_BURST
    assert set(taken[NETWORK_BURST:]) == {None}
    assert refusals.take(KIND, "192.0.2.0/24", NETWORK_SECONDS + 1) == 1000 - NETWORK_BURST
    assert refusals.take(KIND, "198.51.100.0/24", NETWORK_SECONDS + 1) == 0


def test_a_flood_from_everywhere_leaves_no_more_than_two_a_minute() -> None:
    refusals = Refusals()
    day = [refusals.take(KIND, f"network {n}", float(n)) for n in range(86_400)]
    noted = [one for one in day if one is not None]
    assert len(noted) <= BURST + 86_400 / SECONDS
    assert len(noted) + sum(noted) >= 86_400 - SECONDS


def test_a_flood_of_one_kind_hides_no_other() -> None:
    refusals = Refusals()
    for n in range(1000):
        refusals.take(KIND, f"network {n}", 0.0)
    assert refusals.take("sign-in.password", "network 1", 0.0) == 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 100)), max_size=60))
def test_each_is_noted_or_counted(asked: list[tuple[str, float]]) -> None:
    refusals, now, seen = Refusals(), 0.0, 0
    for network, pause in asked:
        now += pause
        before = refusals.take(KIND, network, now)
        seen += 0 if before is None else 1 + before
    later = refusals.take(KIND, "c", now + 10 * SECONDS)
    assert later is not None
    assert seen + later == len(asked)
