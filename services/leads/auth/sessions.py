"""Logins, in the bucket SESSIONS: refresh tokens that can each be used once.

A refresh token is `<session id>.<secret>`; only the secret's SHA-256 is kept (it is random, so
a slow hash would add nothing). Whoever shows a secret that is not the newest has a copy of an
old token, so the session ends for everybody (RFC 9700, section 4.14.2).

With one exception: a client that lost the answer may ask again within a few seconds, and gets
the same next token again. That token is derived from the one shown, and a record alone does not
reveal it. A thief who is as quick ends up with the client's own token, and the session ends as
soon as both have used it.

A session id is `<account id>.<random>`, so that an account's sessions are found without reading
all others. Ids from before are only random; they are good until their 30 days are over.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from libs.chassis.buckets import Entry, WrongRevision
from services.leads.auth.accounts import Account, Bucket, StoredAccount
from services.leads.auth.tries import Tries

SESSIONS: Final = "SESSIONS"
_ID_BYTES: Final = 16
_SECRET_BYTES: Final = 32
GRACE: Final = timedelta(seconds=10)
"""For so long after it was used the last refresh token gets the same answer again."""
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID: Final = re.compile(rf"(?:{_UUID}\.)?([0-9a-f]{{{2 * _ID_BYTES}}})")


class SessionOver(Exception):
    """There is no such session any more, or the token was used before."""


class TokenReused(SessionOver):
    """The token was used before, so the session has ended for whoever has it.

    Attributes:
        session_id: The session.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__()
        self.session_id = session_id


class SessionBucket(Bucket, Protocol):
    """The bucket SESSIONS (`libs.chassis.buckets.Bucket`)."""

    async def matching(self, pattern: str) -> dict[str, Entry]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Where a login comes from, for the account's owner to recognise.

    Attributes:
        address: The client's address.
        agent: The `User-Agent`, or nothing.
    """

    address: str
    agent: str


class Session(BaseModel):
    """One login.

    Attributes:
        account_key: The bucket key of the account.
        account_epoch: The account's epoch at the time; an older one ends the session.
        secret_hash: Of the newest refresh secret, SHA-256 in hex.
        generation: How many refresh tokens there have been.
        created_at: When the attorney logged in (UTC).
        expires_at: When it ends whatever happens (UTC).
        methods: How the attorney proved who they are (RFC 8176).
        address: The client's address at the login.
        agent: What the client called itself at the login.
        used_at: When the last refresh token was given out; None before the second one (UTC).
        previous_hash: Of the refresh secret before the newest one.
        link: What the newest secret was derived with; worth nothing without the one before.
        authenticated_at: When the attorney proved it again, or proved it to the firm's
            identity provider; None: at the login (UTC).
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    account_key: str
    account_epoch: int
    secret_hash: str
    generation: int
    created_at: datetime
    expires_at: datetime
    methods: tuple[str, ...] = ("pwd",)
    address: str = ""
    agent: str = ""
    used_at: datetime | None = None
    previous_hash: str | None = None
    link: str | None = None
    authenticated_at: datetime | None = None

    @property
    def proved_at(self) -> datetime:
        """When its owner last proved who they are (UTC)."""
        return self.authenticated_at or self.created_at

    @property
    def last_used(self) -> datetime:
        """When it was used last, to the precision of an access token's lifetime (UTC)."""
        return self.used_at or self.created_at


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as the bucket has it; `revision` is for changing it."""

    id: str
    session: Session
    revision: int

    @property
    def short_id(self) -> str:
        """The id within its account, as the API shows it."""
        return self.id.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Shown:
    """A session and the refresh token that was shown for it; the secret shows in no `repr`."""

    found: OpenSession
    secret: str = field(repr=False)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.found.id

    @property
    def session(self) -> Session:
        """The session."""
        return self.found.session


class Sessions:
    """Opens, continues and ends sessions.

    Args:
        bucket: SESSIONS.
        lifetime: From login to the latest end.
    """

    def __init__(self, bucket: SessionBucket, lifetime: timedelta) -> None:
        self._bucket = bucket
        self._lifetime = lifetime

    async def open(
        self,
        key: str,
        account: Account,
        now: datetime,
        *,
        methods: frozenset[str],
        client: ClientInfo,
        proved_at: datetime | None = None,
    ) -> tuple[str, str]:
        """Start a session; returns its id and its first refresh token."""
        session_id = f"{account.id}.{secrets.token_hex(_ID_BYTES)}"
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        session = Session(
            account_key=key,
            account_epoch=account.epoch,
            secret_hash=_hash(secret),
            generation=1,
            created_at=now,
            expires_at=now + self._lifetime,
            methods=tuple(sorted(methods)),
            address=client.address,
            agent=client.agent,
            authenticated_at=proved_at,
        )
        await self._bucket.create(session_id, _json(session))
        return session_id, f"{session_id}.{secret}"

    async def check(self, refresh_token: str, now: datetime) -> Shown:
        """Return the session of a refresh token that may be traded for the next one.

        Raises:
            SessionOver: It may not.
            TokenReused: It is an older one, and the session has ended now.
            StoreUnavailable: The bucket does not answer.
        """
        session_id, _, secret = refresh_token.rpartition(".")
        found = await self.find(session_id)
        if found is None or found.session.expires_at <= now:
            raise SessionOver
        if not _is(found.session.secret_hash, secret) and not _asks_again(
            found.session, secret, now
        ):
            await self.end(session_id)
            raise TokenReused(session_id)
        return Shown(found, secret)

    async def rotate(self, shown: Shown, now: datetime) -> str:
        """Return the next refresh token; the one shown is used up.

        Raises:
            SessionOver: The session has ended, or gone on without this token.
            StoreUnavailable: The bucket does not answer.
        """
        found, secret = shown.found, shown.secret
        while not _asks_again(found.session, secret, now):
            link = secrets.token_hex(_SECRET_BYTES)
            renewed = found.session.model_copy(
                update={
                    "secret_hash": _hash(_next(secret, link)),
                    "generation": found.session.generation + 1,
                    "used_at": now,
                    "previous_hash": found.session.secret_hash,
                    "link": link,
                }
            )
            try:
                await self._bucket.update(found.id, _json(renewed), found.revision)
            except WrongRevision:
                # The same token was used at this moment, or the account got a new password.
                found = (await self.check(f"{found.id}.{secret}", now)).found
                continue
            return f"{found.id}.{_next(secret, link)}"
        return f"{found.id}.{_next(secret, found.session.link or '')}"

    async def end_by_token(self, refresh_token: str) -> OpenSession | None:
        """End the session of a refresh token, old or new; None when it belongs to none.

        Raises:
            StoreUnavailable: The bucket does not answer.
        """
        session_id, _, secret = refresh_token.rpartition(".")
        found = await self.find(session_id)
        if found is None:
            return None
        known = (found.session.secret_hash, found.session.previous_hash or "")
        if not any(_is(one, secret) for one in known):
            return None
        await self.end(session_id)
        return found

    async def of_account(self, stored: StoredAccount, now: datetime) -> list[OpenSession]:
        """Return the account's sessions that still stand, the last used one first.

        Raises:
            StoreUnavailable: The bucket does not answer.
        """
        account = stored.account
        own = await self._bucket.matching(f"{account.id}.*")
        older = await self._bucket.matching("*")  # ids from before: fewer every day, soon none
        found = [_read(key, entry) for key, entry in (own | older).items()]
        standing = [
            one
            for one in found
            if one is not None
            and one.session.account_key == stored.key
            and one.session.account_epoch == account.epoch
            and one.session.expires_at > now
        ]
        return sorted(standing, key=lambda one: one.session.last_used, reverse=True)

    async def keep(self, session_id: str, epoch: int) -> None:
        """Move a session to its account's new epoch, so that it outlives a new password."""
        tries = Tries()
        while (found := await self.find(session_id)) is not None:
            moved = found.session.model_copy(update={"account_epoch": epoch})
            try:
                await self._bucket.update(session_id, _json(moved), found.revision)
            except WrongRevision:
                await tries.again()
                continue
            return

    async def strengthen(self, session_id: str, methods: frozenset[str], now: datetime) -> None:
        """Note that its owner has proved it again, and with what; it need not exist any more."""
        tries = Tries()
        while (found := await self.find(session_id)) is not None:
            both = tuple(sorted(methods.union(found.session.methods)))
            proved = found.session.model_copy(update={"methods": both, "authenticated_at": now})
            try:
                await self._bucket.update(session_id, _json(proved), found.revision)
            except WrongRevision:
                await tries.again()
                continue
            return

    async def end(self, session_id: str) -> None:
        """End a session; it need not exist."""
        if await self.find(session_id) is not None:
            await self._bucket.delete(session_id)

    async def find(self, session_id: str) -> OpenSession | None:
        """Return the session with this id, which may have expired, or None."""
        if not _ID.fullmatch(session_id):
            return None
        entry = await self._bucket.get(session_id)
        return None if entry is None else _read(session_id, entry)


def _read(session_id: str, entry: Entry) -> OpenSession | None:
    try:
        session = Session.model_validate_json(entry.value)
    except ValidationError:
        return None
    return OpenSession(session_id, session, entry.revision)


def _asks_again(session: Session, secret: str, now: datetime) -> bool:
    """Tell whether this is the token before the newest one, and its answer may have got lost."""
    if session.previous_hash is None or session.used_at is None:
        return False
    return _is(session.previous_hash, secret) and now - session.used_at < GRACE


def _next(secret: str, link: str) -> str:
    digest = hmac.digest(secret.encode(), link.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _is(expected_hash: str, secret: str) -> bool:
    return hmac.compare_digest(expected_hash, _hash(secret))


def _json(session: Session) -> bytes:
    return session.model_dump_json().encode()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
