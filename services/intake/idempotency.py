"""Sending a form twice makes one lead: keys and what was promised under them.

The key is the client's ``Idempotency-Key`` header (IETF draft of that name) or the hosted
form's hidden field. The first request with a key claims it, in a bucket that every
replica sees, for the ids its lead will have; whoever comes later with the same key and
the same content goes on under those ids.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from pydantic import TypeAdapter

from libs.chassis.buckets import Entry, KeyExists, WrongRevision
from libs.events import StoreUnavailable, event_id, new_id

HEADER: Final = "Idempotency-Key"
_LONGEST: Final = 255
_TRIES: Final = 3
_IN_FLIGHT: Final = timedelta(seconds=60)
"""Longer than any request goes on after its claim."""


class InvalidKey(Exception):
    """The key is not 1 to 255 printable ASCII characters."""


class KeyReused(Exception):
    """The key was used before, with other content."""


class ClaimBucket(Protocol):
    """The operations of ``libs.chassis.buckets.Bucket`` that a claim needs."""

    async def create(self, key: str, value: bytes) -> int:
        """Write a key that is not there yet; raises KeyExists."""
        ...

    async def get(self, key: str) -> Entry | None:
        """The newest entry of a key."""
        ...

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Replace the entry of a revision; raises WrongRevision."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """What one submission will be called, and a hash of its content."""

    lead_id: UUID
    event_id: UUID
    submitted_at: datetime
    fingerprint: str


_CLAIM: Final = TypeAdapter(Claim)


def check_key(key: str | None) -> str | None:
    """The key itself, or None when none was sent.

    Raises:
        InvalidKey: it cannot be one.
    """
    if key is None:
        return None
    if not 0 < len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
        raise InvalidKey
    return key


def new_claim(fingerprint: str, now: datetime) -> Claim:
    """Fresh ids for a submission."""
    return Claim(new_id(), event_id(new_id(), 0), now, fingerprint)


async def claim(
    bucket: ClaimBucket, key: str, mine: Claim, recorded: Callable[[Claim], Awaitable[bool]]
) -> tuple[Claim, bool]:
    """Claim a key, or find what it was claimed for.

    A claim whose submission was never recorded (it was answered with an error) does not bind
    somebody who corrects the form and sends it again: it is taken over once its request must
    have ended.

    Args:
        bucket: where claims are kept.
        key: what the client sent.
        mine: what to claim it for.
        recorded: tells whether a claim's submission is in the log.

    Returns:
        The claim to go on with, and whether it is an earlier one.

    Raises:
        KeyReused: it stands for other content.
        StoreUnavailable: the bucket did not answer.
    """
    # The key is what a client made up: hashed, it is safe as a name and tells nothing.
    name = hashlib.sha256(key.encode()).hexdigest()
    for _ in range(_TRIES):
        try:
            await bucket.create(name, _CLAIM.dump_json(mine))
        except KeyExists:
            entry = await bucket.get(name)
            if entry is None:  # it ran out just now
                continue
            earlier = _CLAIM.validate_json(entry.value)
            if earlier.fingerprint == mine.fingerprint:
                return earlier, True
            if mine.submitted_at - earlier.submitted_at < _IN_FLIGHT or await recorded(earlier):
                raise KeyReused from None
            try:
                await bucket.update(name, _CLAIM.dump_json(mine), entry.revision)
            except WrongRevision:
                continue
        return mine, False
    raise StoreUnavailable("the idempotency key could not be claimed")
