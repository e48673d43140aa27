"""What the audit trail may know of a list that was asked for: its shape, never its words (pure)."""

from services.leads.models import LeadQuery

_TYPED = ("email", "q")
"""What a person's name or address can stand in."""


def shape_of(query: LeadQuery) -> dict[str, str | int | bool]:
    """Which filters were set, and the values of those that name nobody."""
    said = query.model_dump(mode="json", exclude_none=True, exclude={"cursor"})
    shape = {f"by_{name}": True for name in _TYPED if said.pop(name, None)}
    return {**shape, **said, "first_page": query.cursor is None}
