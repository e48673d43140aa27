"""From the provider's groups to a role (pure)."""

from collections.abc import Iterable, Mapping
from typing import Final

from services.leads.auth.permissions import Role

_STRONGEST_FIRST: Final = (Role.ADMIN, Role.ATTORNEY, Role.VIEWER)


def parse_mapping(entries: Iterable[str]) -> dict[str, Role]:
    """Read entries such as ``partners=admin``.

    Raises:
        ValueError: an entry is none, a role does not exist, or a group comes twice.
    """
    mapping: dict[str, Role] = {}
    for entry in entries:
        group, equals, role = (part.strip() for part in entry.rpartition("="))
        if not equals or not group or role not in set(Role):
            roles = ", ".join(Role)
            raise ValueError(f"each entry looks like partners=admin, with one of {roles}")
        if group in mapping:
            raise ValueError("a group may have one role only")
        mapping[group] = Role(role)
    return mapping


def role_of(groups: Iterable[str], mapping: Mapping[str, Role]) -> Role | None:
    """Return the strongest role that a group gives; None when no group gives any."""
    given = {mapping[group] for group in groups if group in mapping}
    return next((role for role in _STRONGEST_FIRST if role in given), None)
