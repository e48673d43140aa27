"""Stand-ins for what intake writes to, and a way to make them fail."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from libs.chassis.buckets import Entry, KeyExists, WrongRevision
from libs.events import Appended, Conflict, NewEvent, Part, StoreUnavailable
from libs.events.memory import MemoryEventStore
from libs.events.submissions import Submitted
from libs.resumes import MemoryResumeStore


class MemoryClaims:
    """A bucket's operations, in one process."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.down = False

    async def create(self, key: str, value: bytes) -> int:
        if self.down:
            raise StoreUnavailable
        if key in self.values:
            raise KeyExists(key)
        self.values[key] = value
        return len(self.values)

    async def get(self, key: str) -> Entry | None:
        value = self.values.get(key)
        return None if value is None else Entry(value, len(value))

    async def update(self, key: str, value: bytes, revision: int) -> int:
        if len(self.values[key]) != revision:
            raise WrongRevision(key)
        self.values[key] = value
        return len(value)


class FaultyEventStore(MemoryEventStore):
    """Raises what it is told to, before or after the write; takes submissions."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Exception | None = None
        self.after: Exception | None = None

    async def append(
        self, lead_id: UUID, part: Part, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        if self.before:
            raise self.before
        appended = await super().append(lead_id, part, events, expected=expected)
        if self.after:
            raise self.after
        return appended

    async def submit(self, lead_id: UUID, event: NewEvent) -> Submitted:
        try:
            appended = await self.append(lead_id, Part.SUBMISSION, [event], expected=0)
        except Conflict:
            position = await self.position_of(lead_id)
            if position is None:
                raise
            return Submitted(position, before=True)
        return Submitted(appended.position, before=appended.duplicate)

    async def position_of(self, lead_id: UUID) -> int | None:
        return (await self.load(lead_id)).last(Part.SUBMISSION) or None


class TrackedResumes(MemoryResumeStore):
    """Knows which objects are there."""

    def __init__(self) -> None:
        super().__init__()
        self.there: set[str] = set()
        self.put_fails = False

    async def put(self, lead_id: UUID, chunks: Iterable[bytes], *, size: int, sha256: str) -> str:
        if self.put_fails:
            raise StoreUnavailable
        name = await super().put(lead_id, chunks, size=size, sha256=sha256)
        self.there.add(name)
        return name

    async def delete(self, object_name: str) -> None:
        await super().delete(object_name)
        self.there.discard(object_name)
