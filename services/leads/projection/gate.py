"""Lets a request wait until the projection has reached a position of the log."""

import asyncio


class NotThereYet(Exception):
    """The projection did not reach the position in time."""


class PositionGate:
    """The projection's progress, and a place to wait for it.

    Attributes:
        position: Of the last event the projection holds.
        ready: Whether it has been level with the log since this process started.
    """

    def __init__(self) -> None:
        self.position = 0
        self.ready = False
        self._moved = asyncio.Condition()

    async def advance(self, position: int, *, caught_up: bool) -> None:
        """Record progress and wake who waits for it."""
        async with self._moved:
            self.position = max(self.position, position)
            self.ready = self.ready or caught_up
            self._moved.notify_all()

    async def resume(self, position: int) -> None:
        """Go on from a position: what was ready stays so, unless the position is an earlier one."""
        if position < self.position:
            await self.restart(position)
        else:
            await self.advance(position, caught_up=False)

    async def restart(self, position: int) -> None:
        """Start again from a position, possibly an earlier one: nothing is ready until then."""
        async with self._moved:
            self.position = position
            self.ready = False

    async def wait(self, position: int, *, seconds: float) -> None:
        """Return once the projection is level with the log and holds the position.

        Raises:
            NotThereYet: That did not happen within the time.
        """
        if self._reached(position):
            return
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self._reached(position))
        except TimeoutError:
            raise NotThereYet from None

    def _reached(self, position: int) -> bool:
        return self.ready and self.position >= position
