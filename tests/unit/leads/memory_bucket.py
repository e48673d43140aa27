"""A bucket in memory, with the revisions of the real one."""

import asyncio
from dataclasses import dataclass, field

from libs.chassis.buckets import Entry, KeyExists, WrongRevision


@dataclass
class MemoryBucket:
    entries: dict[str, Entry] = field(default_factory=dict)
    revision: int = 0
    reads: int = 0

    async def get(self, key: str) -> Entry | None:
        self.reads += 1
        await asyncio.sleep(0)  # as the real one, it lets others go on meanwhile
        return self.entries.get(key)

    async def create(self, key: str, value: bytes) -> int:
        if key in self.entries:
            raise KeyExists(key)
        return await self.put(key, value)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        if key not in self.entries or self.entries[key].revision != revision:
            raise WrongRevision(key)
        return await self.put(key, value)

    async def put(self, key: str, value: bytes) -> int:
        self.revision += 1
        self.entries[key] = Entry(value, self.revision)
        return self.revision

    async def delete(self, key: str) -> None:
        self.entries.pop(key, None)

    async def erase(self, key: str) -> None:
        self.entries.pop(key, None)

    async def matching(self, pattern: str) -> dict[str, Entry]:
        parts = pattern.split(".")
        return {
            key: entry
            for key, entry in self.entries.items()
            if len(found := key.split(".")) == len(parts)
            and all(want in {"*", have} for want, have in zip(parts, found, strict=True))
        }

    async def keys(self) -> list[str]:
        return list(self.entries)
