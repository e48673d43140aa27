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
_LOG_KEY: Final = "janitor.log"
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
    if not await _log_is_whole(events, settings):
        return 0
    after = await _number(settings, _POSITION_KEY)
    found, position = await resumes.stored(after=after, until=now - grace)
    orphans = [stored for stored in found if not await _referred_to(events, stored)]
    for orphan in orphans:
        await resumes.delete(orphan.name)
        _log.info("orphaned resume erased", object=orphan.name)
    if position > after:
        await settings.put(_POSITION_KEY, str(position).encode())
    return len(orphans)


async def _log_is_whole(events: EventStore, settings: Bucket) -> bool:
    """Whether the log is at least as long as it was; a lost log would make all orphans.

    nats-server 2.15.1 starts with an empty stream when the first record of its block file is
    damaged (tried).
    """
    seen, last = await _number(settings, _LOG_KEY), await events.last_position()
    if last < seen or last == 0:
        if seen:
            _log.error("the log is shorter than it was; no resume is erased", was=seen, now=last)
        return False
    if last > seen:
        await settings.put(_LOG_KEY, str(last).encode())
    return True


async def _number(settings: Bucket, key: str) -> int:
    entry = await settings.get(key)
    return int(entry.value) if entry else 0


async def _referred_to(events: EventStore, stored: StoredObject) -> bool:
    history = await events.load(stored.lead_id)
    submissions = [one.event for one in history.events if isinstance(one.event, LeadSubmitted)]
    if not submissions:
        # A submission that this version cannot read might refer to it: keep what is unclear.
        return history.last(Part.SUBMISSION) > 0
    return any(event.resume.object == stored.name for event in submissions)
