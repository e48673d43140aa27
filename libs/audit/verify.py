"""Is the audit trail what was written? Checks each message against the hash chain (pure)."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from libs.audit.entry import UnreadableEntry, decode, subject_of
from libs.events.chain import GENESIS, PREVIOUS, hash_of


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something that is not as it was written.

    Attributes:
        position: the stream sequence it is about.
        text: what is wrong.
    """

    position: int
    text: str


@dataclass(slots=True)
class AuditCheck:
    """Takes the entries in order.

    Args:
        expires: the operator lets old entries go, so that the trail may begin anywhere.
    """

    expires: bool = False
    entries: int = 0
    first: int = 0
    _expected: int = 1
    _link: str = GENESIS
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def take(
        self, position: int, subject: str, headers: Mapping[str, str], payload: bytes
    ) -> Iterator[AuditFinding]:
        """Check the next entry; yields what is wrong with it or was before it."""
        begins = not self.entries and self.expires
        if begins:
            # What it should carry went with the entry before it.
            self._link, self._expected = headers.get(PREVIOUS, ""), position
        yield from self._gap(position)
        yield from self._chained(position, headers)
        yield from _readable(position, subject, payload)
        self.first = self.first or position
        self.entries += 1
        self._expected = position + 1
        self._link = hash_of(subject, headers, payload)
        self._digest.update(f"{position} {self._link}\n".encode())

    def end(self, last: int) -> Iterator[AuditFinding]:
        """Say what is missing up to the stream's last position."""
        if not self.entries and self.expires:
            return  # all of it was older than what is kept
        yield from self._gap(last + 1)

    @property
    def digest(self) -> str:
        """A hash of all entries so far; kept elsewhere, it proves that nothing was rewritten."""
        return self._digest.hexdigest()

    def _gap(self, position: int) -> Iterator[AuditFinding]:
        first, last = self._expected, position - 1
        if first == last:
            yield AuditFinding(first, "is missing")
        elif first < last:
            yield AuditFinding(first, f"is missing, and so are all up to {last}")

    def _chained(self, position: int, headers: Mapping[str, str]) -> Iterator[AuditFinding]:
        carried = headers.get(PREVIOUS)
        if carried is None:
            yield AuditFinding(position, "carries no hash of the entry before it")
        elif carried != self._link:
            yield AuditFinding(
                position,
                "does not follow the entry before it: that one was changed, or one between them "
                "is missing, or this one was put in",
            )


def _readable(position: int, subject: str, payload: bytes) -> Iterator[AuditFinding]:
    try:
        entry = decode(payload, position)
    except UnreadableEntry as broken:
        yield AuditFinding(position, f"cannot be read: {broken}")
        return
    if subject_of(entry) != subject:
        yield AuditFinding(position, "stands under another subject than its own")
