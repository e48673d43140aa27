"""Sign-ins on their way, in the bucket SIGN_INS: each has a secret name, an end, and one use.

The name is random and goes to the client; the bucket's key is its hash, so whoever reads the
bucket cannot go on with somebody's sign-in.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from libs.chassis.buckets import Entry, WrongRevision
from services.leads.auth.accounts import Bucket

SIGN_INS: Final = "SIGN_INS"
LIFETIME: Final = timedelta(minutes=10)
MAX_TRIES: Final = 5
_SECRET_BYTES: Final = 32
M = TypeVar("M", bound=BaseModel)


class SignInOver(Exception):
    """There is no such sign-in any more: unknown, used, too old, or tried too often."""


class _Kept(BaseModel):
    state: str
    expires_at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Found(Generic[M]):
    """A sign-in; `key` and `revision` allow it to be taken once."""

    state: M
    key: str
    revision: int


class SignIns(Generic[M]):
    """The sign-ins of one kind.

    Args:
        bucket: SIGN_INS.
        kind: Keeps them apart from other kinds: letters and hyphens.
        model: What is remembered of each.
        lifetime: From begin to the latest end; at most the bucket's ten minutes.

    Every call may raise StoreUnavailable.
    """

    def __init__(
        self, bucket: Bucket, kind: str, model: type[M], lifetime: timedelta = LIFETIME
    ) -> None:
        self._bucket = bucket
        self._kind = kind
        self._model = model
        self._lifetime = lifetime

    async def begin(self, state: M, now: datetime) -> str:
        """Remember a sign-in; returns its secret name."""
        name = secrets.token_urlsafe(_SECRET_BYTES)
        kept = _Kept(state=state.model_dump_json(), expires_at=now + self._lifetime)
        await self._bucket.create(self._key(name), kept.model_dump_json().encode())
        return name

    async def look(self, name: str, now: datetime) -> Found[M]:
        """Return it without a mark.

        Raises:
            SignInOver: It is over.
        """
        entry, kept = await self._find(self._key(name), now)
        return self._found(self._key(name), kept, entry.revision)

    async def attempt(self, name: str, now: datetime) -> Found[M]:
        """Count a try before it is made, so that many at once cannot be more than allowed.

        Raises:
            SignInOver: It is over, or this would be one try too many.
        """
        key = self._key(name)
        while True:
            entry, kept = await self._find(key, now)
            if kept.tries >= MAX_TRIES:
                await self._bucket.delete(key)
                raise SignInOver
            counted = kept.model_copy(update={"tries": kept.tries + 1})
            try:
                revision = await self._bucket.update(
                    key, counted.model_dump_json().encode(), entry.revision
                )
            except WrongRevision:
                continue
            return self._found(key, counted, revision)

    async def take(self, name: str, now: datetime) -> M:
        """Use it up, whatever comes of it; of two at once, one gets it.

        Raises:
            SignInOver: It is over.
        """
        found = await self.look(name, now)
        try:
            await self._bucket.update(found.key, b"", found.revision)
        except WrongRevision:
            raise SignInOver from None
        await self._bucket.delete(found.key)
        return found.state

    async def finish(self, name: str, now: datetime) -> None:
        """Use it up after a try that worked; other tries at the same moment do not matter.

        Raises:
            SignInOver: Somebody else has finished it.
        """
        await self.finish_key(self._key(name), now)

    async def finish_key(self, key: str, now: datetime) -> None:
        """Do the same by the key that `look` or `attempt` gave.

        Raises:
            SignInOver: Somebody else has finished it.
        """
        while True:
            entry, _ = await self._find(key, now)
            try:
                await self._bucket.update(key, b"", entry.revision)
            except WrongRevision:
                continue
            await self._bucket.delete(key)
            return

    async def _find(self, key: str, now: datetime) -> tuple[Entry, _Kept]:
        entry = await self._bucket.get(key)
        if entry is None:
            raise SignInOver
        try:
            kept = _Kept.model_validate_json(entry.value)
        except ValidationError:  # somebody is taking it
            raise SignInOver from None
        if kept.expires_at <= now:
            raise SignInOver
        return entry, kept

    def _found(self, key: str, kept: _Kept, revision: int) -> Found[M]:
        return Found(self._model.model_validate_json(kept.state), key, revision)

    def _key(self, name: str) -> str:
        return f"{self._kind}.{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"
