"""How long people are kept: the rule, and whose time has come (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.events import LeadErased, LeadReachedOut, LeadSubmitted, RecordedEvent

KEY: Final = "people.retention"
"""In the bucket SETTINGS."""
LONGEST_DAYS: Final = 36_500


class Rule(BaseModel):
    """When a lead is erased: as soon as one of the times has passed; None: it never does.

    Attributes:
        after_submission_days: counted from the form.
        after_reached_out_days: counted from when an attorney reached out.
    """

    model_config = ConfigDict(frozen=True)

    after_submission_days: int | None = Field(None, ge=1, le=LONGEST_DAYS)
    after_reached_out_days: int | None = Field(None, ge=1, le=LONGEST_DAYS)

    @property
    def is_off(self) -> bool:
        """Whether nobody is ever erased by it."""
        return self.after_submission_days is None and self.after_reached_out_days is None

    def submitted_before(self, now: datetime) -> datetime | None:
        """Whoever sent the form before is erased."""
        return _before(now, self.after_submission_days)

    def reached_out_before(self, now: datetime) -> datetime | None:
        """Whoever was reached before is erased."""
        return _before(now, self.after_reached_out_days)


@dataclass(frozen=True, slots=True)
class Times:
    """What the rule needs to know of one lead."""

    submitted_at: datetime
    reached_out_at: datetime | None = None

    def with_reached_out(self, at: datetime) -> Self:
        """The first one stands."""
        return self if self.reached_out_at else type(self)(self.submitted_at, at)


def take(leads: dict[UUID, Times], events: Iterable[RecordedEvent]) -> None:
    """Take events in, in the log's order; ``leads`` is changed."""
    for recorded in events:
        known = leads.get(recorded.lead_id)
        match recorded.event:
            case LeadSubmitted():
                leads.setdefault(recorded.lead_id, Times(recorded.time))
            case LeadReachedOut() if known is not None:
                leads[recorded.lead_id] = known.with_reached_out(recorded.time)
            case LeadErased():
                leads.pop(recorded.lead_id, None)


def due(leads: Mapping[UUID, Times], rule: Rule, now: datetime) -> list[UUID]:
    """Whose time has come, oldest first."""
    submitted, reached_out = rule.submitted_before(now), rule.reached_out_before(now)
    return [
        lead_id
        for lead_id, times in leads.items()
        if (submitted and times.submitted_at < submitted)
        or (reached_out and times.reached_out_at and times.reached_out_at < reached_out)
    ]


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)
