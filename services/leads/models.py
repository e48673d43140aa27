"""What the API takes and gives: the same models validate, serialise and document."""

import re
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from libs.events import Channel
from services.leads.lead import Status
from services.leads.quarantine import Scan
from services.leads.text import clean_note

MAX_NOTE: Final = 2000
ME: Final = "me"
NOBODY: Final = "none"
_UUID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RFC_3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}")


class Strict(BaseModel):
    """A request: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Sort(StrEnum):
    """The orders of a list; a leading minus means descending."""

    SUBMITTED_AT = "submitted_at"
    SUBMITTED_AT_DESC = "-submitted_at"
    LAST_NAME = "last_name"
    LAST_NAME_DESC = "-last_name"
    EMAIL = "email"
    EMAIL_DESC = "-email"


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs a time zone, for example 2026-03-01T09:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _start(value: Any) -> Any:
    return _moment(value, time.min)


def _end(value: Any) -> Any:
    return _moment(value, time.max)


def _moment(value: Any, of_day: time) -> Any:
    """Read a plain date as a moment of that day in UTC, and let RFC 3339 pass.

    Pydantic alone would also take numbers, and guess whether they are seconds.
    """
    if not isinstance(value, str):
        return value
    if _DATE.fullmatch(value):
        return datetime.combine(date.fromisoformat(value), of_day, UTC)
    if not _RFC_3339.match(value):
        raise ValueError("must look like 2026-03-01 or 2026-03-01T09:00:00Z")
    return value


_MOMENT_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
)
From = Annotated[datetime, BeforeValidator(_start), AfterValidator(_utc), _MOMENT_SCHEMA]
Until = Annotated[datetime, BeforeValidator(_end), AfterValidator(_utc), _MOMENT_SCHEMA]


def _reason(text: str) -> str:
    cleaned = clean_note(text)
    if not cleaned:
        raise ValueError("must say something")
    if len(cleaned) > MAX_NOTE:
        raise ValueError(f"must have at most {MAX_NOTE} characters")
    return cleaned


class LeadQuery(Strict):
    """Which leads, in which order, and which page of them."""

    status: Status | None = Field(None, description="Only leads that stand here.")
    email: str | None = Field(
        None, min_length=1, max_length=254, description="Exactly this address, in any case."
    )
    assigned_to: Annotated[str, AfterValidator(str.lower)] | None = Field(
        None,
        pattern=f"^({ME}|{NOBODY}|{_UUID})$",
        description="Only leads of this account: its id, `me`, or `none` for nobody's.",
    )
    submitted_from: From | None = Field(
        None, description="Submitted then or later: RFC 3339, or a date (from its start in UTC)."
    )
    submitted_to: Until | None = Field(
        None, description="Submitted then or earlier: RFC 3339, or a date (to its end in UTC)."
    )
    q: str | None = Field(
        None,
        max_length=200,
        description="Words that the name or email must all contain; case and accents are ignored.",
    )
    sort: Sort = Field(Sort.SUBMITTED_AT_DESC, description="The order; a minus means descending.")
    limit: int = Field(50, ge=1, le=200, description="At most so many leads.")
    cursor: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]+$",
        max_length=1000,
        description="`next_cursor` of the page before, same filter and sort.",
    )


class Person(BaseModel):
    """An account or an API key, as far as others see it."""

    id: str
    name: str | None = Field(description="Null when the account or API key is gone.")


class Resume(BaseModel):
    """What is known about the uploaded file; its bytes are at `/leads/{id}/resume`."""

    file_name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    scan: Scan = Field(description="What a virus scan said; `off`: resumes are not scanned.")
    signature: str | None = Field(description="What a virus scan found, as the scanner names it.")
    quarantined: bool = Field(
        description="It is infected and is not handed out, unless an administrator releases it."
    )


class LeadView(BaseModel):
    """One lead."""

    id: UUID
    status: Status
    first_name: str
    last_name: str
    email: str
    phone: str | None
    message: str | None
    resume: Resume
    submitted_at: datetime
    reached_out_at: datetime | None
    reached_out_by: Person | None
    channel: Channel | None
    note: str | None
    assigned_to: Person | None = Field(description="Whose lead it is; null: nobody's.")


class LeadPage(BaseModel):
    """One page of the list."""

    items: list[LeadView]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class ReachedOutRequest(Strict):
    """What an attorney may say about having reached out."""

    channel: Channel | None = Field(None, description="How.")
    note: Annotated[
        str | None, AfterValidator(lambda note: clean_note(note) or None if note else None)
    ] = Field(None, max_length=MAX_NOTE, description="A remark for the record.")

    @model_validator(mode="after")
    def _still_short(self) -> Self:
        # NFC can make a text longer.
        if self.note and len(self.note) > MAX_NOTE:
            raise ValueError(f"note must have at most {MAX_NOTE} characters")
        return self


class ReachedOutAnswer(LeadView):
    """The lead as the log has it after the command."""

    already_reached_out: bool = Field(
        description="True when somebody had reached out before; who and when stand in the lead."
    )


class AssignRequest(Strict):
    """Who gets a lead."""

    account_id: UUID | None = Field(description="The account; null: nobody.")
    instead_of: UUID | Literal["none"] | None = Field(
        None,
        description=(
            "Only if it is this account's now, or nobody's (`none`); left out or null: whoever's."
        ),
    )


class AssignAnswer(LeadView):
    """The lead as the log has it after the command."""

    already_assigned: bool = Field(description="True when it was this account's before.")


class ReleaseRequest(Strict):
    """Why a resume is released."""

    reason: Annotated[str, AfterValidator(_reason)] = Field(
        min_length=1, max_length=MAX_NOTE, description="For the record: it stands in the history."
    )


class ReleaseAnswer(LeadView):
    """The lead as the log has it after the command."""

    already_free: bool = Field(description="True when nothing held the resume back before.")


class Actor(BaseModel):
    """Who did something."""

    kind: Literal["prospect", "account", "api-key", "service", "unknown"]
    id: str | None
    name: str | None


class HistoryEntry(BaseModel):
    """One fact about a lead."""

    id: UUID
    type: str
    at: datetime
    actor: Actor
    details: dict[str, Any] = Field(description="What the fact says; it depends on the type.")


class History(BaseModel):
    """Everything that happened to a lead, oldest first."""

    items: list[HistoryEntry]
