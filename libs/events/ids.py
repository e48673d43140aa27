"""Ids of leads, commands and events (RFC 9562)."""

from uuid import UUID, uuid5

import uuid_utils.compat


def new_id() -> UUID:
    """A new UUIDv7: unique, and ordered by the millisecond it was made in."""
    return uuid_utils.compat.uuid7()


def event_id(command_id: UUID, index: int) -> UUID:
    """The id of a command's n-th event: the same command again makes the same ids."""
    return uuid5(command_id, str(index))
