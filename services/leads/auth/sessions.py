"""Logins, in the bucket SESSIONS: refresh tokens that can each be used once.

A refresh token is `<session id>.<secret>`; only the secret's SHA-256 is kept (it is random, so
a slow hash would add nothing). Whoever shows a secret that is not the newest has a copy of an
old token, so the session ends for everybody (RFC 9700, section 4.14.2).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from libs.chassis.buckets import WrongRevision
from services.leads.auth.accounts import Account, Bucket

SESSIONS: Final = "SESSIONS"
_ID_BYTES: Final = 16
_SECRET_BYTES: Final = 32


class SessionOver(Exception):
    """There is no such session any more, or the token was used before."""


class Session(BaseModel):
    """One login.

    Attributes:
        account_key: The bucket key of the account.
        account_epoch: The account's epoch at the time; an older one ends the session.
        secret_hash: Of the newest refresh secret, SHA-256 in hex.
        generation: How many refresh tokens there have been.
        created_at: When the attorney logged in (UTC).
        expires_at: When it ends whatever happens (UTC).
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    account_key: str
    account_epoch: int
    secret_hash: str
    generation: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session whose newest refresh token was shown; `revision` allows one rotation."""

    id: str
    session: Session
    revision: int


class Sessions:
    """Opens, continues and ends sessions.

    Args:
        bucket: SESSIONS.
        lifetime: From login to the latest end.
    """

    def __init__(self, bucket: Bucket, lifetime: timedelta) -> None:
        self._bucket = bucket
        self._lifetime = lifetime

    async def open(self, key: str, account: Account, now: datetime) -> tuple[str, str]:
        """Start a session; returns its id and its first refresh token."""
        session_id = secrets.token_hex(_ID_BYTES)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        session = Session(
            account_key=key,
            account_epoch=account.epoch,
            secret_hash=_hash(secret),
            generation=1,
            created_at=now,
            expires_at=now + self._lifetime,
        )
        await self._bucket.create(session_id, session.model_dump_json().encode())
        return session_id, f"{session_id}.{secret}"

    async def check(self, refresh_token: str, now: datetime) -> OpenSession:
        """Return the session of a refresh token that is its newest one.

        Raises:
            SessionOver: It is not; if it is an older one, the session has ended now.
            StoreUnavailable: The bucket does not answer.
        """
        session_id, _, secret = refresh_token.partition(".")
        found = await self._find(session_id)
        if found is None or found.session.expires_at <= now:
            raise SessionOver
        if not hmac.compare_digest(found.session.secret_hash, _hash(secret)):
            await self.end(session_id)
            raise SessionOver
        return found

    async def rotate(self, found: OpenSession) -> str:
        """Return the next refresh token; the one shown is used up.

        Raises:
            SessionOver: Somebody used the same token at this moment; the session has ended.
            StoreUnavailable: The bucket does not answer.
        """
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        renewed = found.session.model_copy(
            update={"secret_hash": _hash(secret), "generation": found.session.generation + 1}
        )
        try:
            await self._bucket.update(found.id, renewed.model_dump_json().encode(), found.revision)
        except WrongRevision:
            await self.end(found.id)
            raise SessionOver from None
        return f"{found.id}.{secret}"

    async def keep(self, session_id: str, epoch: int) -> None:
        """Move a session to its account's new epoch, so that it outlives a new password."""
        while (found := await self._find(session_id)) is not None:
            moved = found.session.model_copy(update={"account_epoch": epoch})
            try:
                await self._bucket.update(
                    session_id, moved.model_dump_json().encode(), found.revision
                )
            except WrongRevision:
                continue
            return

    async def end(self, session_id: str) -> None:
        """End a session; it need not exist."""
        if await self._find(session_id) is not None:
            await self._bucket.delete(session_id)

    async def _find(self, session_id: str) -> OpenSession | None:
        if len(session_id) != 2 * _ID_BYTES or not session_id.isalnum() or not session_id.isascii():
            return None
        entry = await self._bucket.get(session_id)
        if entry is None:
            return None
        try:
            session = Session.model_validate_json(entry.value)
        except ValidationError:
            return None
        return OpenSession(session_id, session, entry.revision)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
