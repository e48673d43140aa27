"""How often a login may try to prove itself again: five times in ten minutes.

Whoever has somebody's access token, but neither password nor factor, must not be able to
guess them here; and the login itself goes on, so that nobody is thrown out by it.
"""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ValidationError

from libs.chassis.buckets import Entry, KeyExists, WrongRevision
from services.leads.auth.accounts import Bucket

MAX_TRIES: Final = 5
PAUSE: Final = timedelta(minutes=10)


class TooManyTries(Exception):
    """Wait.

    Attributes:
        seconds: How long.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Tries(BaseModel):
    count: int
    until: datetime


class StepUpTries:
    """Counts the tries of each session in the bucket SIGN_INS.

    Every call may raise StoreUnavailable.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def count(self, session_id: str, now: datetime) -> None:
        """Count a try before it is made.

        Raises:
            TooManyTries: There were too many.
        """
        key = f"step-up.{session_id}"
        while True:
            entry = await self._bucket.get(key)
            tries = _read(entry, now)
            if tries.count >= MAX_TRIES:
                raise TooManyTries(max(1, int((tries.until - now).total_seconds())))
            value = _Tries(count=tries.count + 1, until=tries.until).model_dump_json().encode()
            try:
                if entry is None:
                    await self._bucket.create(key, value)
                else:
                    await self._bucket.update(key, value, entry.revision)
            except (KeyExists, WrongRevision):
                continue
            return

    async def forget(self, session_id: str) -> None:
        """Start anew after a try that worked."""
        await self._bucket.delete(f"step-up.{session_id}")


def _read(entry: Entry | None, now: datetime) -> _Tries:
    fresh = _Tries(count=0, until=now + PAUSE)
    if entry is None:
        return fresh
    try:
        tries = _Tries.model_validate_json(entry.value)
    except ValidationError:
        return fresh
    return tries if tries.until > now else fresh
