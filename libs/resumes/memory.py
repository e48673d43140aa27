"""The resume store in memory: the same contract, for tests of what is built on it."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from uuid import UUID

from libs.resumes.names import new_name
from libs.resumes.pieces import pieces
from libs.resumes.store import ResumeDamaged, ResumeMissing, StoredObject

_PIECE = 128 * 1024


class MemoryResumeStore:
    """``libs.resumes.store.ResumeStore`` in one process."""

    def __init__(self) -> None:
        self._objects: dict[int, tuple[StoredObject, bytes, str]] = {}
        self._position = 0

    async def put(self, lead_id: UUID, chunks: Iterable[bytes], *, size: int, sha256: str) -> str:
        """See ``ResumeStore.put``."""
        data = b"".join(chunks)
        if len(data) != size:
            raise ValueError("the size is not the one announced")
        name = new_name(lead_id)
        self._position += 1
        stored = StoredObject(name, lead_id, datetime.now(UTC))
        self._objects[self._position] = (stored, data, sha256)
        return name

    async def read(self, object_name: str) -> AsyncIterator[bytes]:
        """See ``ResumeStore.read``."""
        position = self._find(object_name)
        if position is None:
            raise ResumeMissing
        _, data, sha256 = self._objects[position]
        for piece in pieces([data], _PIECE):
            yield piece
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ResumeDamaged

    async def delete(self, object_name: str) -> None:
        """See ``ResumeStore.delete``."""
        if (position := self._find(object_name)) is not None:
            del self._objects[position]

    def _find(self, name: str) -> int | None:
        matches = (at for at, (stored, _, _) in self._objects.items() if stored.name == name)
        return next(matches, None)

    async def stored(self, *, after: int, until: datetime) -> tuple[list[StoredObject], int]:
        """See ``ResumeStore.stored``."""
        found = [
            (position, stored)
            for position, (stored, _, _) in self._objects.items()
            if position > after and stored.stored_at < until
        ]
        return [stored for _, stored in found], max([after, *(position for position, _ in found)])
