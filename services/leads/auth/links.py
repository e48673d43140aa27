"""One-time links, in the bucket LINKS: an invitation, or a way back after a lost password.

The token is 32 random bytes and stands only in the mail; the bucket's key is its SHA-256. A
link names the account's epoch: whatever begins a new one (a password, a newer invitation)
ends every link from before, so a link works once however many replicas take it up at once.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from services.leads.auth.accounts import Bucket, StoredAccount

LINKS: Final = "LINKS"
_TOKEN_BYTES: Final = 32


class Purpose(StrEnum):
    """What a link is for; the value is also its page's path."""

    INVITATION = "invitation"
    RESET = "password-reset"


LIFETIMES: Final = {Purpose.INVITATION: timedelta(days=7), Purpose.RESET: timedelta(hours=1)}


class LinkOver(Exception):
    """The link was used, is too old, or never was one; it is not said which."""


class Link(BaseModel):
    """What a token stands for.

    Attributes:
        purpose: What it may be used for.
        account_key: The bucket key of the account.
        epoch: The account's epoch when the link was made.
        expires_at: UTC.
    """

    model_config = ConfigDict(frozen=True)

    purpose: Purpose
    account_key: str
    epoch: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link just made; the token does not show in a `repr`."""

    token: str
    link: Link

    def __repr__(self) -> str:
        """Show what it is for only."""
        return f"NewLink({self.link.purpose})"

    def url(self, public_url: str) -> str:
        """Return the address for the mail; a fragment reaches no server and no log."""
        return f"{public_url.rstrip('/')}/{self.link.purpose}#{self.token}"


async def make(bucket: Bucket, purpose: Purpose, stored: StoredAccount, now: datetime) -> NewLink:
    """Make a link for an account.

    Raises:
        StoreUnavailable: The bucket does not answer.
    """
    link = Link(
        purpose=purpose,
        account_key=stored.key,
        epoch=stored.account.epoch,
        expires_at=now + LIFETIMES[purpose],
    )
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    await bucket.create(_key(token), link.model_dump_json().encode())
    return NewLink(token, link)


async def look_up(bucket: Bucket, token: str, purpose: Purpose, now: datetime) -> Link:
    """Return what a token stands for.

    Raises:
        LinkOver: Nothing, for this purpose and at this time.
        StoreUnavailable: The bucket does not answer.
    """
    entry = await bucket.get(_key(token))
    if entry is None:
        raise LinkOver
    try:
        link = Link.model_validate_json(entry.value)
    except ValidationError:
        raise LinkOver from None
    if link.purpose is not purpose or link.expires_at <= now:
        raise LinkOver
    return link


async def drop(bucket: Bucket, token: str) -> None:
    """Take a used link away."""
    await bucket.delete(_key(token))


def _key(token: str) -> str:
    return sha256(token.encode()).hexdigest()
