"""The retention rule as it is kept."""

from typing import Protocol

from libs.chassis.buckets import Entry
from services.leads.people.retention import KEY, Rule


class Settings(Protocol):
    """What is needed of the bucket SETTINGS."""

    async def get(self, key: str) -> Entry | None:
        """See ``libs.chassis.buckets.Bucket``."""
        ...


async def read_rule(settings: Settings) -> Rule:
    """The rule; off as long as nobody has set one.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    entry = await settings.get(KEY)
    return Rule() if entry is None else Rule.model_validate_json(entry.value)
