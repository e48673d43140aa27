"""Names of objects (pure): ``<lead id>-<attempt>``, so that an orphan tells whose it was."""

import secrets
from uuid import UUID

_UUID_LENGTH = 36


def new_name(lead_id: UUID) -> str:
    """A name that no other attempt has."""
    return f"{lead_id}-{secrets.token_hex(6)}"


def lead_of(name: str) -> UUID | None:
    """The lead that an object belongs to; None when the name is not one of ours."""
    try:
        return UUID(name[:_UUID_LENGTH]) if name[_UUID_LENGTH : _UUID_LENGTH + 1] == "-" else None
    except ValueError:
        return None
