"""Which entries are wanted, and how a stream that can only be read forwards is read backwards.

Pure. A batch of a stream begins at a position and goes on forwards, so the newest entries are
found by windows that lie one below the other. A window in which much is found becomes smaller,
one in which little is found larger: entries that all match cost one round trip for each batch,
and a rare one is found in a million others by a dozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar

from libs.audit.entry import Outcome, RecordedEntry, filter_of

BATCH: Final = 256
"""Messages in one answer."""
_FACTOR: Final = 4
"""By which a window grows or shrinks."""


class Placed(Protocol):
    """Something that has a place in the stream."""

    @property
    def sequence(self) -> int: ...  # noqa: D102


P = TypeVar("P", bound=Placed)


@dataclass(frozen=True, slots=True)
class Search:
    """Which entries are wanted; None lets all pass.

    Attributes:
        action: a whole one, such as ``lead.read``, or only its area, such as ``lead``.
        actor: as in an entry.
        target: as in an entry.
        outcome: as in an entry.
        after: not before this time (UTC).
        until: not after this time (UTC).
    """

    action: str | None = None
    actor: str | None = None
    target: str | None = None
    outcome: Outcome | None = None
    after: datetime | None = None
    until: datetime | None = None

    @property
    def subjects(self) -> str:
        """The subject filter: what the server need not send."""
        return filter_of(action=self.action, actor=self.actor, target=self.target)

    def matches(self, entry: RecordedEntry) -> bool:
        """Whether an entry that the subject filter let pass is really meant."""
        return (
            self._is_action(entry.action)
            and self.actor in {None, entry.actor}
            and self.target in {None, entry.target}
            and self.outcome in {None, entry.outcome}
            and (self.after is None or entry.time >= self.after)
            and (self.until is None or entry.time <= self.until)
        )

    def _is_action(self, action: str) -> bool:
        wanted = self.action
        return wanted is None or action == wanted or action.startswith(f"{wanted}.")


@dataclass(slots=True)
class Descent:
    """From the newest position down to the oldest, window by window.

    Ask for ``batch`` messages from ``start`` on, and hand in what came.

    Attributes:
        oldest: the last position that is looked at.
        newest: the highest one that has not been looked at yet.
        batch: so many messages at most come at once.
        looked_at: so many have come.
    """

    oldest: int
    newest: int
    batch: int = BATCH
    looked_at: int = 0
    _width: int = field(init=False)

    def __post_init__(self) -> None:
        self._width = self.batch

    @property
    def done(self) -> bool:
        """Whether everything has been looked at."""
        return self.newest < self.oldest

    @property
    def start(self) -> int:
        """The position at which the window begins; it ends at ``newest``."""
        return max(self.oldest, self.newest - self._width + 1)

    def take(self, came: Sequence[P]) -> list[P]:
        """The messages of the window, newest first; then the next window is below it.

        Nothing when the answer was full before it reached the window's end: what it lacks is
        newer than what it has. The next window then ends where this one did, and is smaller; one
        of ``batch`` positions always fits.

        Args:
            came: in the order of the stream, from ``start`` on; it may go beyond the window.
        """
        self.looked_at += max(1, len(came))
        if len(came) >= self.batch and came[-1].sequence < self.newest:
            self._width = max(self.batch, self._width // _FACTOR)
            return []
        inside = [one for one in came if one.sequence <= self.newest]
        self.newest = self.start - 1
        if len(inside) < self.batch // _FACTOR:
            self._width *= _FACTOR
        return inside[::-1]
