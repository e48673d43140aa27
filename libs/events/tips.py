"""What the next event of a part must carry: the hashes of the newest events seen."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from libs.events.chain import hash_of

_KEPT: Final = 10_000


class Tips:
    """Hashes of stored events by subject and position; the least recently used are dropped."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[tuple[str, int], str] = OrderedDict()

    def get(self, subject: str, position: int) -> str | None:
        """The hash of the event at a position, if it was seen lately."""
        return self._hashes.get((subject, position))

    def see(self, subject: str, position: int, headers: Mapping[str, str], payload: bytes) -> str:
        """Remember a stored event; its hash."""
        found = hash_of(subject, headers, payload)
        self.keep(subject, position, found)
        return found

    def keep(self, subject: str, position: int, found: str) -> None:
        """Remember a hash."""
        self._hashes[subject, position] = found
        self._hashes.move_to_end((subject, position))
        if len(self._hashes) > _KEPT:
            self._hashes.popitem(last=False)
