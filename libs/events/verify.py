"""Is the log what was written? Checks each message against the hash chain (pure)."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from libs.events.chain import GENESIS, PREVIOUS, hash_of
from libs.events.envelope import Undecodable, decode
from libs.events.model import ErasedEvent, LeadErased, LeadSubmitted, ResumeRef
from libs.events.subjects import InvalidSubject, Part, parse_subject, subject_of, subject_of_lead
from libs.events.upcast import UnknownEvent


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        position: the stream sequence it is about.
        lead_id: the lead it is about, if that can be told.
        text: what is wrong, without personal data.
    """

    position: int
    lead_id: UUID | None
    text: str


Erased = dict[int, tuple[UUID, ErasedEvent]]
"""What the log itself says was erased, by position."""


def note_erased(
    erased: Erased, position: int, subject: str, headers: Mapping[str, str], payload: bytes
) -> None:
    """Take in what a message says was erased; most say nothing."""
    if headers.get("ce-type") != LeadErased.type:
        return
    try:
        recorded = decode(subject, headers, payload, position)
    except (UnknownEvent, Undecodable):
        return  # it is named when its turn comes
    if isinstance(recorded.event, LeadErased):
        for one in recorded.event.erased:
            if one.position < position:
                erased[one.position] = (recorded.lead_id, one)


@dataclass(slots=True)
class LogCheck:
    """Takes the messages of the log in order; ``events`` and ``leads`` count them.

    It keeps one hash for each part of each lead: some 200 bytes each.

    Attributes:
        erased: what ``note_erased`` has found; such an event may be missing, its hash stands
            in for it, and the digest of the log stays what it was.
        erased_events: how many were missing for that reason.
        unfinished: how many are still there although the log says that they were erased: an
            erasure is at work, or was cut short.
    """

    erased: Erased = field(default_factory=dict)
    erased_events: int = 0
    unfinished: int = 0
    expected: int = 1
    events: int = 0
    leads: int = 0
    _tips: dict[str, tuple[int, str]] = field(default_factory=dict)
    _roots: dict[UUID, str] = field(default_factory=dict)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def take(
        self, position: int, subject: str, headers: Mapping[str, str], payload: bytes
    ) -> Iterator[Finding]:
        """Check the next message; yields what is wrong with it or was before it."""
        yield from self._gap(position)
        self.expected = position + 1
        self.events += 1
        found = hash_of(subject, headers, payload)
        self._digest.update(f"{position} {found}\n".encode())
        yield from self._announced(position, subject, found)
        try:
            lead_id, part = parse_subject(subject)
        except InvalidSubject:
            yield Finding(position, None, "is not on a lead's subject")
            return
        yield from self._link(position, lead_id, part, headers)
        self._tips[subject] = (position, found)
        if part is Part.SUBMISSION:
            self._roots.setdefault(lead_id, found)
            self.leads = len(self._roots)

    def end(self, last: int) -> Iterator[Finding]:
        """Say what is missing up to the log's last position."""
        yield from self._gap(last + 1)

    @property
    def digest(self) -> str:
        """A hash of the whole log so far; kept elsewhere, it proves that nothing was rewritten."""
        return self._digest.hexdigest()

    def _gap(self, position: int) -> Iterator[Finding]:
        for missing in range(self.expected, position):
            if (known := self.erased.get(missing)) is None:
                yield Finding(missing, None, "is missing from the log")
            else:
                self._stand_in(missing, *known)

    def _stand_in(self, position: int, lead_id: UUID, one: ErasedEvent) -> None:
        """Go on as if the erased event were there: whatever followed it carries its hash."""
        self.erased_events += 1
        self._digest.update(f"{position} {one.hash}\n".encode())
        self._tips[_subject(lead_id, one)] = (position, one.hash)
        if one.part == Part.SUBMISSION:
            self._roots.setdefault(lead_id, one.hash)
            self.leads = len(self._roots)

    def _announced(self, position: int, subject: str, found: str) -> Iterator[Finding]:
        """Whether a message that was to be erased and is still there is the one that was meant."""
        if (known := self.erased.get(position)) is None:
            return
        self.unfinished += 1
        lead_id, one = known
        if subject != _subject(lead_id, one) or found != one.hash:
            yield Finding(position, lead_id, "is not the one that was to be erased here")

    def _link(
        self, position: int, lead_id: UUID, part: Part, headers: Mapping[str, str]
    ) -> Iterator[Finding]:
        carried = headers.get(PREVIOUS)
        before = self._tips.get(subject_of(lead_id, part))
        if carried is None:
            yield Finding(position, lead_id, "carries no hash of the event before it")
        elif before is not None and carried != before[1]:
            yield Finding(
                position,
                lead_id,
                f"does not follow the event at position {before[0]}: that one was changed, or one "
                "between them is missing",
            )
        elif before is None and carried != self._root(lead_id, part):
            yield Finding(
                position,
                lead_id,
                "does not follow the lead's submission: that was changed or is missing"
                if part is not Part.SUBMISSION
                else "does not begin its lead: an event before it is missing",
            )

    def _root(self, lead_id: UUID, part: Part) -> str:
        return GENESIS if part is Part.SUBMISSION else self._roots.get(lead_id, GENESIS)


def _subject(lead_id: UUID, one: ErasedEvent) -> str:
    return f"{subject_of_lead(lead_id).removesuffix('*')}{one.part}"


def readable(
    position: int, subject: str, headers: Mapping[str, str], payload: bytes
) -> tuple[ResumeRef | None, Finding | None]:
    """The resume that a message refers to, if any, and what is wrong with the message."""
    try:
        event = decode(subject, headers, payload, position)
    except UnknownEvent as unknown:
        return None, Finding(position, None, f"is of a kind this version does not know: {unknown}")
    except Undecodable as broken:
        return None, Finding(position, None, f"cannot be read: {broken}")
    return (event.event.resume if isinstance(event.event, LeadSubmitted) else None), None


async def resume_fault(read: AsyncIterator[bytes], resume: ResumeRef) -> str | None:
    """What is wrong with the stored bytes of a resume, or None.

    Raises:
        whatever reading raises when the store does not answer.
    """
    digest, size = hashlib.sha256(), 0
    async for piece in read:
        digest.update(piece)
        size += len(piece)
    if size != resume.size:
        return f"its resume has {size} bytes instead of {resume.size}"
    if digest.hexdigest() != resume.sha256:
        return "its resume is not the one that was sent (SHA-256)"
    return None
