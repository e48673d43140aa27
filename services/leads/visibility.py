"""Which leads exist for whom (pure): the one place where `assigned only` is decided.

Whoever sees only leads that are assigned to them gets the same answer for all others as for
leads that do not exist (OWASP ASVS 5.0, 8.2.2), in lists, details, files and commands alike.
"""

from services.leads.auth.principal import Principal
from services.leads.models import ME, LeadQuery


def may_see(principal: Principal, assigned_to: str | None) -> bool:
    """Tell whether a lead that is assigned to this account, or to nobody, exists for them."""
    return not principal.assigned_only or assigned_to == principal.account_id


def visible_part(principal: Principal, query: LeadQuery) -> LeadQuery | None:
    """Return the query for what they may see, with `me` replaced by who that is.

    None when nothing that is asked for can be theirs.
    """
    wanted = principal.account_id if query.assigned_to == ME else query.assigned_to
    if not principal.assigned_only:
        return query.model_copy(update={"assigned_to": wanted})
    if wanted not in {None, principal.account_id}:
        return None
    return query.model_copy(update={"assigned_to": principal.account_id})
