"""Changing the key that signs access tokens, without logging anybody out.

A new key is first put where every replica sees it, and signs only once all of them must have
seen it. The old one goes on verifying what it has signed until that has expired. Nothing here
depends on clocks of different machines but the wait before an old key may be erased, and that
is an hour long.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from libs.chassis.buckets import KeyExists, WrongRevision
from services.leads.auth.signing_keys import CURRENT, RELOAD_SECONDS, KeyBucket, make

SPREAD_SECONDS: Final = 2 * RELOAD_SECONDS
"""After so long every replica that is asked anything knows a new key."""
KEPT: Final = timedelta(hours=1, minutes=1)
"""The longest that `access_token_seconds` can be, and a minute until all replicas have changed."""
_REPLACED: Final = "replaced."


class RotationElsewhere(Exception):
    """Somebody else changed the current key at the same time: look at the list."""


class StillNeeded(Exception):
    """The key signs, or tokens that it has signed may still be good."""


class KeyUnknown(Exception):
    """There is no signing key of this name."""


class State(StrEnum):
    """What a key is there for now."""

    NEW = "new: does not sign yet"
    SIGNS = "signs"
    VERIFIES = "verifies what it has signed"
    DONE = "may be retired"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key.

    Attributes:
        kid: Its name.
        created_at: UTC.
        replaced_at: When it stopped signing (UTC).
        state: What it is there for.
    """

    kid: str
    created_at: datetime
    replaced_at: datetime | None
    state: State


def state_of(
    *, signs: bool, replaced_at: datetime | None, now: datetime, kept: timedelta = KEPT
) -> State:
    """Say what a key is there for (pure)."""
    if signs:
        return State.SIGNS
    if replaced_at is None:
        return State.NEW
    return State.DONE if now - replaced_at >= kept else State.VERIFIES


async def list_keys(bucket: KeyBucket, now: datetime, kept: timedelta = KEPT) -> list[KeyInfo]:
    """Return every key, oldest first, without its private half.

    Raises:
        StoreUnavailable: The bucket does not answer.
    """
    entries = await bucket.matching("*")
    replaced = await bucket.matching(f"{_REPLACED}*")
    current = entries.pop(CURRENT, None)
    found = []
    for kid, entry in entries.items():
        signs = current is not None and current.value.decode() == kid
        mark = replaced.get(f"{_REPLACED}{kid}")
        at = None if mark is None or signs else datetime.fromisoformat(mark.value.decode())
        created = datetime.fromisoformat(json.loads(entry.value)["created_at"])
        state = state_of(signs=signs, replaced_at=at, now=now, kept=kept)
        found.append(KeyInfo(kid, created, at, state))
    return sorted(found, key=lambda key: (key.created_at, key.kid))


async def rotate(
    bucket: KeyBucket, now: Callable[[], datetime], wait: Callable[[float], Awaitable[None]]
) -> str:
    """Let a new key sign; returns its name. A rotation that was interrupted is finished.

    Args:
        bucket: SIGNING_KEYS.
        now: Tells the time (UTC).
        wait: Waits for so many seconds.

    Raises:
        RotationElsewhere: Somebody else does the same; no key is lost.
        StoreUnavailable: The bucket does not answer.
    """
    pointer = await bucket.get(CURRENT)
    if pointer is None:
        kid = await make(bucket)
        try:
            await bucket.create(CURRENT, kid.encode())
        except KeyExists:
            raise RotationElsewhere("a service has just made the first key") from None
        return kid
    waiting = [key for key in await list_keys(bucket, now()) if key.state is State.NEW]
    kid = waiting[-1].kid if waiting else await make(bucket)
    await wait(SPREAD_SECONDS)
    old = pointer.value.decode()
    # First the mark: a key without one would never be retired if this is interrupted.
    await bucket.put(f"{_REPLACED}{old}", now().isoformat().encode())
    try:
        await bucket.update(CURRENT, kid.encode(), pointer.revision)
    except WrongRevision:
        raise RotationElsewhere("the current key was changed meanwhile") from None
    return kid


async def retire(
    bucket: KeyBucket,
    now: datetime,
    kid: str | None = None,
    *,
    at_once: bool = False,
    kept: timedelta = KEPT,
) -> list[str]:
    """Erase keys for good, bytes on disk and all; returns their names.

    Args:
        bucket: SIGNING_KEYS.
        now: UTC.
        kid: Which one; None: all that nothing needs any more.
        at_once: Also one whose tokens may still be good: they are refused from then on, and
            their owners' next renewal gives them new ones. For a key that has leaked.
        kept: How long after its replacement a key's tokens may still be good.

    Raises:
        KeyUnknown: There is none of this name.
        StillNeeded: It signs, or its tokens may still be good.
        StoreUnavailable: The bucket does not answer.
    """
    keys = await list_keys(bucket, now, kept)
    if kid is None:
        chosen = [key for key in keys if key.state is State.DONE]
    else:
        chosen = [key for key in keys if key.kid == kid]
        if not chosen:
            raise KeyUnknown("there is no signing key of this name")
        _check(chosen[0], at_once=at_once, kept=kept)
    for key in chosen:
        await bucket.erase(key.kid)
        await bucket.delete(f"{_REPLACED}{key.kid}")
    return [key.kid for key in chosen]


def _check(key: KeyInfo, *, at_once: bool, kept: timedelta) -> None:
    if key.state is State.SIGNS:
        raise StillNeeded("this key signs; `leadlog signing-keys rotate` puts another in its place")
    if key.state is State.VERIFIES and key.replaced_at is not None and not at_once:
        due = key.replaced_at + kept
        raise StillNeeded(
            f"tokens it has signed may be good until {due:%Y-%m-%d %H:%M} UTC; --at-once refuses"
            " them"
        )
