"""`assigned only`: what is seen, and what does not exist."""

import pytest

from services.leads.auth.permissions import ROLE_PERMISSIONS, Role
from services.leads.auth.principal import Principal
from services.leads.models import LeadQuery
from services.leads.visibility import may_see, visible_part

ME = "0190b1a2-0000-7000-8000-00000000000a"
OTHER = "0190b1a2-0000-7000-8000-00000000000b"


def principal(*, assigned_only: bool) -> Principal:
    return Principal(
        ME, Role.ATTORNEY, ROLE_PERMISSIONS[Role.ATTORNEY], assigned_only, "s", None, frozenset()
    )


@pytest.mark.parametrize("owner", [ME, OTHER, None])
def test_without_the_scope_every_lead_is_seen(owner: str | None) -> None:
    assert may_see(principal(assigned_only=False), owner)


@pytest.mark.parametrize(("owner", "seen"), [(ME, True), (OTHER, False), (None, False)])
def test_with_the_scope_only_ones_own_leads_are_seen(owner: str | None, *, seen: bool) -> None:
    assert may_see(principal(assigned_only=True), owner) is seen


@pytest.mark.parametrize(
    ("asked", "free", "bound"),
    [
        (None, None, ME),
        ("me", ME, ME),
        (ME, ME, ME),
        (ME.upper(), ME, ME),
        ("none", "none", "nothing"),
        (OTHER, OTHER, "nothing"),
    ],
)
def test_a_list_is_narrowed_to_what_is_seen(
    asked: str | None, free: str | None, bound: str
) -> None:
    query = LeadQuery(assigned_to=asked, q="ada", limit=7)
    everybodys = visible_part(principal(assigned_only=False), query)
    own = visible_part(principal(assigned_only=True), query)

    assert everybodys == query.model_copy(update={"assigned_to": free})
    assert (own.assigned_to if own else "nothing") == bound
    assert own is None or (own.q, own.limit) == ("ada", 7)
