"""Adding submissions to the log without being able to read it.

Intake is what the whole world can reach, so it may add leads and see none. It needs no reading:
a lead's id is made up by whoever claims its key, so what stands on ``leads.<id>.submission``
can only be that claim's own submission.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from libs.events.envelope import NewEvent


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission that is in the log.

    Attributes:
        position: where it stands.
        before: it stood there already, from an earlier attempt or from another request.
    """

    position: int
    before: bool = False


class Submissions(Protocol):
    """The submissions of the log, for their writer; every call may raise StoreUnavailable."""

    async def submit(self, lead_id: UUID, event: NewEvent) -> Submitted:
        """Add a lead's first and only submission; it is durable when this returns."""
        ...

    async def position_of(self, lead_id: UUID) -> int | None:
        """Where a lead's submission stands, or None if it was never written.

        The leader's word, never a lagging replica's.
        """
        ...
