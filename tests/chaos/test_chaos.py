"""The short run of ``make chaos``: everything is killed in turn, and nothing is lost."""

import os
import sys
from pathlib import Path

import pytest

from tests.chaos.run import SINGLE, Plan, Report, run

# One after the other, in one worker: each has a dozen processes.
pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("chaos"), pytest.mark.timeout(400)]


def a_seed() -> int:
    """Another one each time; LEADLOG_CHAOS_SEED has an earlier run again."""
    return int(os.environ.get("LEADLOG_CHAOS_SEED") or int.from_bytes(os.urandom(4), "big"))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


async def short(plan: Plan, folder: Path) -> Report:
    say(f"seed {plan.seed}; again with LEADLOG_CHAOS_SEED={plan.seed}")
    report = await run(plan, folder, say)
    say(report.text)
    return report


async def test_nothing_is_lost_while_everything_is_killed_in_turn(tmp_path: Path) -> None:
    report = await short(Plan(a_seed(), 40), tmp_path)
    assert report.wrong == [], report.text
    killed = {done.fault.target for done in report.done if done.fault.kind == "kill"}
    assert len(killed) == 10, "three nodes, two of each service, the mail server"
    assert {done.fault.kind for done in report.done} == {"kill", "pause", "cut"}
    assert report.figures["acknowledged"] > 50
    assert report.figures["looks at the replicas"] > 50


async def test_a_single_node_that_is_killed_in_a_loop_keeps_what_it_acknowledged(
    tmp_path: Path,
) -> None:
    plan = Plan(a_seed(), 15, nodes=1, replicas=1, people=8, lanes=SINGLE)
    report = await short(plan, tmp_path)
    assert report.wrong == [], report.text
    assert len(report.done) >= 5
    assert report.figures["acknowledged"] > 50
    assert report.figures["mails that came again"] == 0, "no notifier was killed"
