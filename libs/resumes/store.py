"""What a resume store does: the contract that every implementation keeps."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class ResumeMissing(Exception):
    """There is no such object."""


class ResumeDamaged(Exception):
    """The stored bytes are not the bytes that were put."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, or what is left of one, as the janitor finds it.

    Attributes:
        name: the object's name.
        lead_id: the lead whose submission stored it.
        stored_at: when a part of it was stored, UTC.
    """

    name: str
    lead_id: UUID
    stored_at: datetime


class ResumeStore(Protocol):
    """Keeps resumes; every call may raise StoreUnavailable."""

    async def put(self, lead_id: UUID, chunks: Iterable[bytes], *, size: int, sha256: str) -> str:
        """Store a resume durably under a new name, and return the name.

        What a put that fails has stored is left to the janitor: whoever adds resumes need not
        be able to erase any.

        Args:
            lead_id: whose resume it is; the name begins with it.
            chunks: the bytes, in pieces of any size.
            size: how many bytes there are in all.
            sha256: their SHA-256, lower-case hex.

        Raises:
            ValueError: the pieces are not ``size`` bytes long.
        """
        ...

    def read(self, object_name: str) -> AsyncIterator[bytes]:
        """The bytes of a resume, in pieces, in constant memory.

        Raises:
            ResumeMissing: before the first piece.
            ResumeDamaged: at the end, when the digest is another.
        """
        ...

    async def delete(self, object_name: str) -> None:
        """Erase a resume; it need not exist."""
        ...

    async def stored(self, *, after: int, until: datetime) -> tuple[list[StoredObject], int]:
        """The objects stored after a position and before a time, oldest first.

        Returns:
            The objects, and the position to go on from the next time.
        """
        ...
