"""A schedule comes from its seed alone."""

import pytest

from tests.chaos.run import Plan
from tests.chaos.schedule import Lane, lane_faults

LANE = Lane("nodes", ("a", "b", "c"), (0.5, 2), (0.3, 4), 1, 1)


def test_the_same_seed_gives_the_same_faults() -> None:
    assert lane_faults(7, LANE, 120) == lane_faults(7, LANE, 120)
    assert lane_faults(7, LANE, 120) != lane_faults(8, LANE, 120)


def test_a_longer_run_begins_with_the_faults_of_a_shorter_one() -> None:
    short, long = lane_faults(7, LANE, 60), lane_faults(7, LANE, 600)
    assert long[: len(short)] == short
    assert len(long) > len(short)


@pytest.mark.parametrize("seed", range(20))
def test_a_short_run_kills_everything_and_pauses_and_cuts_a_node(seed: int) -> None:
    plan = Plan(seed, 40)
    for lane in plan.lanes:
        faults = lane_faults(seed, lane, plan.seconds)
        assert {fault.target for fault in faults if fault.kind == "kill"} == set(lane.targets)
        kinds = {"kill", "pause", "cut"} if lane.pauses else {"kill"}
        assert {fault.kind for fault in faults} == kinds
        took = sum(fault.wait + fault.seconds for fault in faults)
        assert took < plan.seconds * 1.5
