"""API keys for machines, in the bucket API_KEYS.

`key.<id>` holds what is known of a key, and stays after its end: the history names keys.
`used.<id>` holds when it was used last; it is apart so that noting a use can never bring back a
key that is revoked at that moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from libs.chassis.buckets import Entry, WrongRevision
from libs.events import new_id
from services.leads.auth import key_text
from services.leads.auth.accounts import Bucket
from services.leads.auth.permissions import Permission
from services.leads.auth.tries import Tries

API_KEYS: Final = "API_KEYS"
OPERATOR: Final = "operator"
"""Stands for the account of keys that are made on the command line."""
DEFAULT_DAYS: Final = 90
MAX_DAYS: Final = 365
MAX_NAME: Final = 100
GRANTABLE: Final = frozenset(Permission) - {
    Permission.ACCOUNTS_MANAGE,
    Permission.KEYS_MANAGE,
    Permission.SELF,
}
"""What a key may be given: never to make more accounts or keys, and it has no self."""


class BadApiKey(ValueError):
    """The name, the scopes or the time cannot be used; the text says what to change."""


class ApiKeyUnknown(Exception):
    """There is no API key with this id."""


class KeyBucket(Bucket, Protocol):
    """The bucket API_KEYS (`libs.chassis.buckets.Bucket`)."""

    async def matching(self, pattern: str) -> dict[str, Entry]: ...  # noqa: D102


class ApiKey(BaseModel):
    """What is known of a key; not the key.

    Attributes:
        id: Names it in events, in the audit trail and in the key itself.
        name: What people call it.
        scopes: What it may do.
        secret_hash: SHA-256 of its secret, in hex.
        account_id: Who made it; OPERATOR for the command line.
        assigned_only: Whether only leads of that account exist for it.
        created_at: UTC.
        expires_at: Its end, whatever happens (UTC).
        revoked_at: When it was ended before that (UTC).
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    name: str
    scopes: frozenset[Permission]
    secret_hash: str
    account_id: str
    assigned_only: bool = False
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Tell whether it has neither expired nor been revoked."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes a key, and what they may do: a key never gets more."""

    account_id: str
    permissions: frozenset[Permission]
    assigned_only: bool = False


THE_OPERATOR: Final = Maker(OPERATOR, frozenset(Permission))


def plan(
    name: str, scopes: Iterable[Permission], days: int, maker: Maker, now: datetime
) -> tuple[ApiKey, key_text.KeyText]:
    """Return a new key and what is kept of it (pure but for the random secret).

    Raises:
        BadApiKey: Something of it cannot be.
    """
    wanted, cleaned = frozenset(scopes), " ".join(name.split())
    if not cleaned or len(cleaned) > MAX_NAME or not cleaned.isprintable():
        raise BadApiKey(f"a name is printable text of 1 to {MAX_NAME} characters")
    if not wanted:
        raise BadApiKey("a key needs at least one scope")
    refused = sorted(wanted - (GRANTABLE & maker.permissions))
    if refused:
        raise BadApiKey(f"a key cannot be given {', '.join(refused)}")
    if not 1 <= days <= MAX_DAYS:
        raise BadApiKey(f"a key lives for 1 to {MAX_DAYS} days")
    text = key_text.generate(str(new_id()))
    key = ApiKey(
        id=text.key_id,
        name=cleaned,
        scopes=wanted,
        secret_hash=text.hashed(),
        account_id=maker.account_id,
        assigned_only=maker.assigned_only,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return key, text


async def create(
    bucket: Bucket,
    name: str,
    scopes: Iterable[Permission],
    days: int,
    maker: Maker,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key; returns what is kept, and the key itself, which nobody can show again.

    Raises:
        BadApiKey: Something of it cannot be.
        StoreUnavailable: The bucket does not answer.
    """
    key, text = plan(name, scopes, days, maker, now)
    await keep(bucket, key)
    return key, text.written()


async def keep(bucket: Bucket, key: ApiKey) -> None:
    """Keep a new key: it is good from now on.

    Raises:
        StoreUnavailable: The bucket does not answer.
    """
    await bucket.create(f"key.{key.id}", key.model_dump_json().encode())


async def find(bucket: Bucket, key_id: str) -> ApiKey | None:
    """Return what is known of a key, which may be over, or None."""
    entry = await bucket.get(f"key.{key_id}")
    return None if entry is None else _read(entry)


async def list_keys(bucket: KeyBucket) -> list[tuple[ApiKey, datetime | None]]:
    """Return every key, oldest first, with when it was used last."""
    entries = await bucket.matching("key.*")
    used = await bucket.matching("used.*")
    keys = [key for key in map(_read, entries.values()) if key is not None]
    times = {name.partition(".")[2]: _time(entry) for name, entry in used.items()}
    return [(key, times.get(key.id)) for key in sorted(keys, key=lambda key: key.created_at)]


async def revoke(bucket: Bucket, key_id: str, now: datetime) -> ApiKey:
    """End a key; one that is over already stays as it is.

    Raises:
        ApiKeyUnknown: There is none with this id.
        StoreUnavailable: The bucket does not answer.
    """
    tries = Tries()
    while True:
        entry = await bucket.get(f"key.{key_id}")
        key = None if entry is None else _read(entry)
        if entry is None or key is None:
            raise ApiKeyUnknown("there is no API key with this id")
        if key.revoked_at is not None:
            return key
        over = key.model_copy(update={"revoked_at": now})
        try:
            await bucket.update(f"key.{key_id}", over.model_dump_json().encode(), entry.revision)
        except WrongRevision:
            await tries.again()
            continue
        return over


async def note_use(bucket: Bucket, key_id: str, now: datetime) -> None:
    """Write when a key was used.

    Raises:
        StoreUnavailable: The bucket does not answer.
    """
    await bucket.put(f"used.{key_id}", now.isoformat().encode())


def _read(entry: Entry) -> ApiKey | None:
    try:
        return ApiKey.model_validate_json(entry.value)
    except ValidationError:
        return None


def _time(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.value.decode())
