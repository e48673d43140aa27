"""Takes away resumes that no lead refers to.

An upload can store its resume and then fail to write its event. Whatever is older than the
grace period and is not referred to by its lead's LeadSubmitted is erased. Each object is
judged once: an event cannot come later than the grace period, since each new attempt of a
submission stores its resume under a new name.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from libs.chassis.buckets import Bucket
from libs.events import EventStore, LeadSubmitted, Part
from libs.resumes.store import ResumeStore, StoredObject

_POSITION_KEY: Final = "janitor.position"
_log = structlog.get_logger(__name__)


async def sweep(
    resumes: ResumeStore,
    events: EventStore,
    settings: Bucket,
    *,
    now: datetime,
    grace: timedelta,
) -> int:
    """Erase the orphans among the objects that have come of age since the last sweep.

    Safe to run in several places at once, and again after a crash.

    Args:
        resumes: where the objects are.
        events: what tells whether a lead refers to one.
        settings: the bucket SETTINGS, which keeps the position reached.
        now: the time, UTC.
        grace: how old an object must be before it is judged.

    Returns:
        How many were erased.

    Raises:
        StoreUnavailable: some part did not answer; the next sweep begins where this one did.
    """
    entry = await settings.get(_POSITION_KEY)
    after = int(entry.value) if entry else 0
    found, position = await resumes.stored(after=after, until=now - grace)
    orphans = [stored for stored in found if not await _referred_to(events, stored)]
    for orphan in orphans:
        await resumes.delete(orphan.name)
        _log.info("orphaned resume erased", object=orphan.name)
    if position > after:
        await settings.put(_POSITION_KEY, str(position).encode())
    return len(orphans)


async def _referred_to(events: EventStore, stored: StoredObject) -> bool:
    history = await events.load(stored.lead_id)
    submissions = [one.event for one in history.events if isinstance(one.event, LeadSubmitted)]
    if not submissions:
        # A submission that this version cannot read might refer to it: keep what is unclear.
        return history.last(Part.SUBMISSION) > 0
    return any(event.resume.object == stored.name for event in submissions)
