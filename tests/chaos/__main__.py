"""``python -m tests.chaos``: a long run, with a report."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.chaos.run import SINGLE, Plan, run


def main() -> None:
    """Run, print, and exit with 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of faults (%(default)s)")
    parser.add_argument("--seed", type=int, help="of an earlier run, to have its faults again")
    parser.add_argument("--people", type=int, default=16, help="who send at once (%(default)s)")
    parser.add_argument("--single", action="store_true", help="one node, killed in a loop")
    parser.add_argument("--keep", type=Path, help="folder for logs and data, kept afterwards")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(4), "big")
    plan = Plan(seed, given.minutes * 60, people=given.people)
    if given.single:
        plan = Plan(seed, given.minutes * 60, 1, 1, given.people, SINGLE)
    sys.stdout.write(f"seed {seed}: have these faults again with --seed {seed}\n")
    began = monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"{monotonic() - began:7.1f} s  {text}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        report = asyncio.run(run(plan, folder.absolute(), say))
    sys.stdout.write(f"{report.text}\n")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
