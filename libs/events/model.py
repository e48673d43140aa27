"""The events: facts about a lead, past tense, frozen (pure)."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from libs.events.subjects import Part

RecipientRole = Literal["prospect", "attorney"]


class Event(BaseModel):
    """The base of every event.

    ``type`` and ``version`` name its schema and travel in the envelope; ``part`` says
    which consistency boundary it belongs to. A reader ignores fields it does not know.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    type: ClassVar[str]
    version: ClassVar[int]
    part: ClassVar[Part]


class ResumeRef(BaseModel):
    """Where a resume's bytes are, and what is known about them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    object: str
    """Its name in the object store RESUMES."""
    file_name: str
    """As the prospect's machine named it, cleaned: data, never a path."""
    media_type: str
    """Judged by content."""
    size: int
    """Bytes."""
    sha256: str
    """Lower-case hex."""


class LeadSubmitted(Event):
    """A prospect filled in the form; the resume is already stored."""

    type: ClassVar[str] = "LeadSubmitted"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.SUBMISSION

    first_name: str
    last_name: str
    email: str
    phone: str | None = None
    message: str | None = None
    resume: ResumeRef


class Channel(StrEnum):
    """How an attorney reached out."""

    EMAIL = "email"
    PHONE = "phone"
    MEETING = "meeting"


class LeadReachedOut(Event):
    """An attorney got in touch with the prospect; who it was is the envelope's actor."""

    type: ClassVar[str] = "LeadReachedOut"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.HANDLING

    channel: Channel | None = None
    note: str | None = None


class LeadAssigned(Event):
    """A lead was given to an attorney, or taken from one; the envelope's actor did it."""

    type: ClassVar[str] = "LeadAssigned"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.HANDLING

    assignee: str | None
    """The account's id; None: nobody any more."""


class NotificationSent(Event):
    """An SMTP server took a mail."""

    type: ClassVar[str] = "NotificationSent"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.MAIL

    template: str
    recipient_role: RecipientRole
    recipient: str
    message_id: str
    smtp_reply: str | None = None


class NotificationFailed(Event):
    """A mail was given up: its recipient was refused for good."""

    type: ClassVar[str] = "NotificationFailed"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.MAIL

    template: str
    recipient_role: RecipientRole
    recipient: str
    reason: str
    smtp_code: int | None = None
    attempts: int


class Verdict(StrEnum):
    """What a virus scanner says about a resume."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNABLE = "unscannable"


class ResumeScanned(Event):
    """A virus scanner has looked at the resume, or could not."""

    type: ClassVar[str] = "ResumeScanned"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.RESUME

    verdict: Verdict
    signature: str | None = None
    """What was found, as the scanner names it; of an infected one only."""
    engine: str | None = None
    """The scanner, its version and its signatures', as it says them."""
    reason: Literal["too-large", "missing", "damaged", "failed"] | None = None
    """Why it could not be scanned."""


class ResumeReleased(Event):
    """An administrator lets people have a resume that was held back."""

    type: ClassVar[str] = "ResumeReleased"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.RESUME

    reason: str


class ErasedEvent(BaseModel):
    """What is left of an event whose bytes were erased: where it stood, and its hash."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    position: int
    """Its sequence in the stream."""
    part: str
    """The last token of its subject; a ``Part``, or one that only a newer version knows."""
    hash: str
    """As ``libs.events.chain.hash_of`` makes it; lower-case hex. It tells nothing of the event:
    what it was made of holds random ids that are erased as well."""


class LeadErased(Event):
    """Everything about a person was taken out of the log; nothing personal remains.

    It is written before anything is erased. There may be several: each names what had come
    into the log since the one before.
    """

    type: ClassVar[str] = "LeadErased"
    version: ClassVar[int] = 1
    part: ClassVar[Part] = Part.HANDLING

    reason: Literal["request", "retention", "restore"]
    """Somebody asked for it, its time had come, or a backup had brought it back."""
    erased: tuple[ErasedEvent, ...]


EVENT_TYPES: dict[str, type[Event]] = {
    model.type: model
    for model in (
        LeadSubmitted,
        LeadReachedOut,
        LeadAssigned,
        NotificationSent,
        NotificationFailed,
        ResumeScanned,
        ResumeReleased,
        LeadErased,
    )
}
"""Every event type that this version reads and writes."""
