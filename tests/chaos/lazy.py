"""What is lost when the power fails: ``sync_interval: always`` beside the server's default.

For each setting: a nats-server on a disk of its own, intake in front of it, people who send
forms; then the power of the disk is cut and the server killed, the disk is mounted again as
after a power failure, the server started on what is there, and every acknowledged form looked
for. Needs root (see ``tests/chaos/disk.py``). ``docs/durability.md`` has the figures.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from nats.js.errors import NotFoundError

from tests.chaos import evidence
from tests.chaos.disk import Disk, NoDisk, disk
from tests.chaos.evidence import Evidence
from tests.chaos.load import Acknowledgement, Load, Submission
from tests.chaos.system import PASSWORD, USER, System, running
from tests.support.nats import with_test_user

_ALWAYS = "sync_interval: always"
_DISK_MEGABYTES = 4096


@dataclass(frozen=True)
class Loss:
    """What one power failure took.

    Attributes:
        acknowledged: forms that were answered with 202.
        events: of these, how many are not in the log any more.
        resumes: of these, how many are in the log and their resume is gone or damaged.
        oldest: how long before the failure the oldest lost one was acknowledged, in seconds.
    """

    setting: str
    seconds: float
    acknowledged: int
    events: int
    resumes: int
    oldest: float

    @property
    def row(self) -> str:
        lost = self.events + self.resumes
        share = 100 * lost / max(1, self.acknowledged)
        return (
            f"| {self.setting} | {self.seconds:.0f} s | {self.acknowledged} | {self.events} | "
            f"{self.resumes} | {share:.1f} % | {self.oldest:.1f} s |"
        )


HEAD = (
    "| sync_interval | load before the failure | acknowledged | lost: not in the log | "
    "lost: in the log without its resume | lost in all | oldest lost one, before the failure |\n"
    "|---|---|---|---|---|---|---|"
)


async def measure(setting: str, seconds: float, folder: Path) -> Loss:
    """One power failure after so many seconds of load."""
    with disk(folder, _DISK_MEGABYTES) as power:
        config = with_test_user(folder / "lazy-conf")
        server = config.parent / "server.conf"
        text = server.read_text()
        assert _ALWAYS in text, "the shipped configuration has changed"
        server.write_text(text.replace(_ALWAYS, f"sync_interval: {setting}"))
        system = System(
            folder,
            nodes=1,
            replicas=1,
            kinds=("intake",),
            stores=power.mounted_at,
            config=config,
        )
        async with running(system):
            load = Load(0, [system.services["intake"][0].url], [], "", people=8, reached=0)
            load.think = (0.05, 0.15)
            cut_at = await _load_until_the_power_fails(system, load, power, seconds)
            found = await _what_is_left(system)
            await system.stop()  # before the disk is unmounted
    return compare(setting, seconds, load.submissions, found, cut_at)


async def _load_until_the_power_fails(
    system: System, load: Load, power: Disk, seconds: float
) -> float:
    os.sync()  # what was there before the load is safe
    sending = asyncio.create_task(load.run())
    done, _ = await asyncio.wait({sending}, timeout=seconds)
    assert not done, "the load ended too early"
    power.cut_power()
    cut_at = monotonic()
    node = system.programs["node1"]
    await node.kill()
    load.stop.set()
    sending.cancel()
    await asyncio.wait({sending})
    power.start_again()
    await node.start()
    await node.until_ready(60)
    return cut_at


async def _what_is_left(system: System) -> Evidence:
    client = await evidence.connect(system.nats_urls, USER, PASSWORD)
    found = Evidence()
    try:
        js = client.jetstream(timeout=5)
        found.facts = await evidence.read_facts(js)
        names = [fact.data["resume"]["object"] for fact in found.facts]
        found.resumes = await evidence.read_resumes(js, names)
    except NotFoundError:
        sys.stdout.write("a whole stream is gone\n")
    finally:
        await client.close()
    return found


def compare(
    setting: str, seconds: float, sent: Sequence[Submission], found: Evidence, cut_at: float
) -> Loss:
    """Count what was acknowledged and is gone (pure)."""
    facts = {fact.lead_id: fact for fact in found.facts}
    promises: list[tuple[Submission, Acknowledgement]] = [
        (one, one.acknowledged[0]) for one in sent if one.acknowledged
    ]
    events, resumes = [], []
    for one, promise in promises:
        fact = facts.get(promise.lead_id)
        if fact is None:
            events.append(promise)
        elif found.resumes.get(fact.data["resume"]["object"]) != (one.size, one.sha256):
            resumes.append(promise)
    oldest = max((cut_at - promise.at for promise in events + resumes), default=0.0)
    return Loss(setting, seconds, len(promises), len(events), len(resumes), oldest)


async def _all(seconds: Sequence[float], settings: Sequence[str]) -> list[Loss]:
    losses = []
    for each in seconds:
        for setting in settings:
            with tempfile.TemporaryDirectory() as folder:
                loss = await measure(setting, each, Path(folder))
            sys.stdout.write(f"{loss.row}\n")
            sys.stdout.flush()
            losses.append(loss)
    return losses


def main() -> None:
    """Measure and print a table; exit with 1 when ``always`` lost something."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.lazy", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[15, 60], help="of load before the failure"
    )
    parser.add_argument("--settings", nargs="+", default=["always", "2m"], help="to compare")
    given = parser.parse_args()
    sys.stdout.write(f"{HEAD}\n")
    try:
        losses = asyncio.run(_all(given.seconds, given.settings))
    except NoDisk as error:
        sys.exit(str(error))
    lost = [one for one in losses if one.setting == "always" and one.events + one.resumes]
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
