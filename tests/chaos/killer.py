"""Carries a schedule out."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from tests.chaos.programs import NotReady
from tests.chaos.schedule import Fault
from tests.chaos.system import System

_BACK_SECONDS = 25.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """A fault that was carried out: when it began and ended, on the monotonic clock."""

    fault: Fault
    began: float
    ended: float


@dataclass
class Killer:
    """Puts faults into a running system, and takes each of them out again."""

    system: System
    say: Say
    done: list[Done] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    async def run(self, lanes: Sequence[Sequence[Fault]]) -> None:
        """Carry out all lanes side by side."""
        await asyncio.gather(*(self._lane(faults) for faults in lanes))

    async def _lane(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.wait)
            began = monotonic()
            self.say(f"{fault.kind} {fault.target} for {fault.seconds:.1f} s")
            await self._carry_out(fault)
            self.done.append(Done(fault, began, monotonic()))
            if fault.target.startswith("node"):
                await self._until_back(fault.target)

    async def _carry_out(self, fault: Fault) -> None:
        program = self.system.programs[fault.target]
        if fault.kind == "kill":
            await program.kill()
            await asyncio.sleep(fault.seconds)
            await program.start()
        elif fault.kind == "pause":
            program.pause()
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                program.resume()
        else:
            await self.system.wire("cut", fault.target)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                await self.system.wire("heal", fault.target)

    async def _until_back(self, node: str) -> None:
        """The next node may go only when this one counts again."""
        try:
            await self.system.programs[node].until_ready(_BACK_SECONDS)
        except NotReady:
            self.slow.append(node)
            self.say(f"{node} is not healthy after {_BACK_SECONDS:.0f} s")
