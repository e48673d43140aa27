"""What the routes of the audit trail take and give."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from libs.audit import Outcome, Reference
from libs.audit.search import Search
from services.leads.models import From, Strict, Until


class AuditFilters(Strict):
    """Which entries."""

    action: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9-]{0,39}(\.[a-z][a-z0-9.-]{0,59})?$",
        description="A whole action such as `lead.read`, or only its area: `lead`.",
    )
    actor: Reference | None = Field(
        None,
        description="Who did it: `account:<id>`, `api-key:<id>`, `operator`, `anonymous`.",
    )
    target: Reference | None = Field(None, description="To what: `lead:<id>`, `account:<id>`, ...")
    outcome: Outcome | None = Field(
        None, description="`refused`: it was not allowed; `failed`: it was, and did not work."
    )
    from_: From | None = Field(
        None,
        alias="from",
        description="Then or later: RFC 3339, or a date (from its start in UTC).",
    )
    to: Until | None = Field(
        None, description="Then or earlier: RFC 3339, or a date (to its end in UTC)."
    )

    def search(self) -> Search:
        """Return the same in the library's terms."""
        return Search(
            action=self.action,
            actor=self.actor,
            target=self.target,
            outcome=self.outcome,
            after=self.from_,
            until=self.to,
        )

    def shape(self, *, found: bool) -> dict[str, str | int | bool]:
        """Return what the trail may know of the filters.

        What was typed is noted as it is only when there are such entries: then it is a word of
        the trail itself, and not, say, somebody's name in the wrong field.

        Args:
            found: whether there are.
        """
        said = self.model_dump(
            mode="json", by_alias=True, exclude_none=True, include=set(AuditFilters.model_fields)
        )
        typed = {"action", "actor", "target"}.intersection(said)
        if found:
            return said
        return {f"by_{k}" if k in typed else k: True if k in typed else said[k] for k in said}


class AuditQuery(AuditFilters):
    """Which entries, and which page of them."""

    limit: int = Field(50, ge=1, le=200, description="At most so many entries.")
    cursor: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]+$",
        max_length=1000,
        description="`next_cursor` of the page before, same filters.",
    )


class AuditExportQuery(AuditFilters):
    """Which entries, and how they are written."""

    format: Literal["csv", "jsonl"] = Field(
        "csv", description="A table, or one JSON object on each line."
    )


class AuditEntryView(BaseModel):
    """Somebody did something, or was refused it."""

    id: UUID
    time: datetime
    position: int = Field(description="Its place in the trail.")
    action: str
    actor: str
    actor_name: str | None = Field(
        description="As of now, of an account or an API key; null when there is none."
    )
    target: str | None
    target_name: str | None = Field(
        description="As of now, of an account, an API key or, for who may read leads, a lead;"
        " else null."
    )
    outcome: Outcome
    details: dict[str, str | bool | int] = Field(description="They depend on the action.")
    address: str | None = Field(description="The network that the request came from.")


class AuditPageView(BaseModel):
    """One page of the trail, newest first."""

    items: list[AuditEntryView]
    next_cursor: str | None = Field(
        description="For the next page; null when there are no older entries that match."
    )
