"""Looks at every leads replica all the time: nothing that was seen may be unseen later."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_EVERY_SECONDS = 0.2
_ORDER = {"PENDING": 0, "REACHED_OUT": 1}


@dataclass
class Watch:
    """What one replica has shown so far.

    Attributes:
        looks: how many answers were compared with what had been seen.
        backwards: in words, where an answer said less than an earlier one.
    """

    name: str
    url: str
    token: str
    position: int = 0
    statuses: dict[str, str] = field(default_factory=dict)
    looks: int = 0
    backwards: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Look until cancelled: at the newest leads, and at one older after the other."""
        timeout = aiohttp.ClientTimeout(total=3)
        turn = 0
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                turn += 1
                await self._list(session)
                if self.statuses:
                    known = list(self.statuses)
                    await self._one(session, known[turn * 7919 % len(known)])
                await asyncio.sleep(_EVERY_SECONDS)

    async def _list(self, session: aiohttp.ClientSession) -> None:
        status, body = await self._get(session, "/leads?limit=100")
        for item in body["items"] if status == 200 else ():
            self._see(item)

    async def _one(self, session: aiohttp.ClientSession, lead_id: str) -> None:
        status, body = await self._get(session, f"/leads/{lead_id}")
        if status == 200:
            self._see(body)
        elif status == 404:
            self.backwards.append(f"{self.name}: lead {lead_id} was there and is gone")

    def _see(self, lead: dict[str, Any]) -> None:
        lead_id, status = lead["id"], lead["status"]
        before = self.statuses.get(lead_id, "PENDING")
        if _ORDER[status] < _ORDER[before]:
            self.backwards.append(f"{self.name}: lead {lead_id} went from {before} to {status}")
        self.statuses[lead_id] = status

    async def _get(self, session: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with session.get(f"{self.url}{path}", headers=headers) as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, {}
        if answer.status == 200:
            self.looks += 1
            position = int(answer.headers["Leadlog-Position"])
            if position < self.position:
                self.backwards.append(
                    f"{self.name}: its position went from {self.position} to {position}"
                )
            self.position = max(self.position, position)
        return answer.status, body
