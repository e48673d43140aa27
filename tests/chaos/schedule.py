"""Which fault comes when: drawn from a seed, so that a run can be had again (pure).

Faults come in lanes that run side by side; within a lane one fault ends before the next
begins. The nodes are one lane: so never more than one of three is away.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

Kind = Literal["kill", "pause", "cut"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        wait: seconds after the end of the lane's fault before it.
        kind: SIGKILL, then started again; SIGSTOP, then SIGCONT; or cut off from the other
            nodes, then joined again.
        target: a program's name.
        seconds: how long it is away.
    """

    wait: float
    kind: Kind
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"+{self.wait:.1f} s {self.kind} {self.target} for {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Lane:
    """Programs that are never away together.

    Attributes:
        targets: each is killed once a round, in an order of the round's own.
        pauses: how many of them are paused in a round.
        cuts: how many of them are cut off in a round.
        wait: the shortest and the longest time between two faults.
        away: the same of how long a kill lasts; pauses and cuts last ``long_away``.
        settle: what a program needs to come back, roughly; only to know how long a lane takes.
    """

    name: str
    targets: Sequence[str]
    wait: tuple[float, float]
    away: tuple[float, float]
    pauses: int = 0
    cuts: int = 0
    long_away: tuple[float, float] = (3.0, 7.0)
    settle: float = 0.0


def lane_faults(seed: int, lane: Lane, seconds: float) -> list[Fault]:
    """The faults of a lane that fit in a time; at least one whole round."""
    draw = random.Random(f"{seed}/{lane.name}")  # noqa: S311 - to be had again, not secret
    faults: list[Fault] = []
    spent = 0.0
    round_ = len(lane.targets) + lane.pauses + lane.cuts
    for number, fault in enumerate(chain.from_iterable(_rounds(draw, lane))):
        spent += fault.wait + fault.seconds + lane.settle
        if spent > seconds and number >= round_:
            break
        faults.append(fault)
    return faults


def _rounds(draw: random.Random, lane: Lane) -> Iterator[list[Fault]]:
    while True:
        kinds: list[tuple[Kind, str]] = [("kill", target) for target in lane.targets]
        kinds += [("pause", draw.choice(lane.targets)) for _ in range(lane.pauses)]
        kinds += [("cut", draw.choice(lane.targets)) for _ in range(lane.cuts)]
        draw.shuffle(kinds)
        yield [_fault(draw, lane, kind, target) for kind, target in kinds]


def _fault(draw: random.Random, lane: Lane, kind: Kind, target: str) -> Fault:
    away = lane.away if kind == "kill" else lane.long_away
    return Fault(draw.uniform(*lane.wait), kind, target, draw.uniform(*away))
