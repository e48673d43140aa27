"""One replica at a time: a lease in a bucket, which runs out when its holder is gone.

What is done under it is idempotent, so that clocks which differ do no harm: it saves work and is
no lock.
"""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel

from libs.chassis.buckets import Bucket, KeyExists, WrongRevision

KEY: Final = "people.lease"


class _Held(BaseModel):
    holder: str
    until: datetime


async def take_lease(bucket: Bucket, holder: str, now: datetime, length: timedelta) -> bool:
    """Take or prolong the lease; False when somebody else has it.

    Raises:
        StoreUnavailable: the bucket does not answer.
    """
    mine = _Held(holder=holder, until=now + length).model_dump_json().encode()
    entry = await bucket.get(KEY)
    try:
        if entry is None:
            await bucket.create(KEY, mine)
            return True
        held = _Held.model_validate_json(entry.value)
        if held.holder != holder and held.until > now:
            return False
        await bucket.update(KEY, mine, entry.revision)
    except (KeyExists, WrongRevision):
        return False
    return True
