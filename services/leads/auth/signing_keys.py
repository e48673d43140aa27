"""The keys that sign access tokens, in the bucket SIGNING_KEYS, shared by all replicas.

`<kid>` holds a key and is written once; `current` names the one that signs; `replaced.<kid>` says
since when a key does not sign any more (`signing_key_rotation`). A replica that is asked for
anything looks again after a few seconds, so it knows a new key before that is the current one.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm

from libs.chassis.buckets import Entry, KeyExists
from libs.chassis.errors import StoreUnavailable
from libs.events import new_id
from services.leads.auth.accounts import Bucket

SIGNING_KEYS: Final = "SIGNING_KEYS"
CURRENT: Final = "current"
RELOAD_SECONDS: Final = 5.0
"""A replica's picture of the bucket is at most so old, unless the bucket is away."""
_FRESHEN_SECONDS: Final = 2.0


class KeyBucket(Bucket, Protocol):
    """The bucket SIGNING_KEYS (`libs.chassis.buckets.Bucket`)."""

    async def matching(self, pattern: str) -> dict[str, Entry]: ...  # noqa: D102
    async def erase(self, key: str) -> None: ...  # noqa: D102


class MissingKey(Exception):
    """The bucket names a current key that it does not hold."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair and its name; the private half never shows in a `repr`."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> Ed25519PublicKey:
        """The half that verifies."""
        return self.private.public_key()


class KeyRing:
    """The keys this replica knows: one signs, all verify.

    Args:
        bucket: SIGNING_KEYS.
        clock: Seconds that only go forward.
    """

    def __init__(self, bucket: KeyBucket, clock: Callable[[], float] = monotonic) -> None:
        self._bucket = bucket
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._current = ""
        self._loaded_at = -RELOAD_SECONDS
        self._failed_at = float("-inf")
        self._ask_again_at = float("-inf")
        self._loading = asyncio.Lock()

    async def current(self) -> SigningKey:
        """Return the key to sign with; the first replica ever makes it.

        Raises:
            StoreUnavailable: The bucket does not answer.
        """
        await self._freshen()
        if self._current not in self._keys:
            async with self._loading:
                if self._current not in self._keys:
                    self._current = await self._agree()
                    await self._load()
        if self._current not in self._keys:
            raise MissingKey(
                f"bucket {SIGNING_KEYS} names {self._current!r} as the current key, but does not"
                " hold it; delete its entry 'current' and a new key is made"
            )
        return self._keys[self._current]

    async def verifier(self, kid: str) -> SigningKey | None:
        """Return the key of this name, looking for new ones at most every few seconds.

        Raises:
            StoreUnavailable: The key is not known here and the bucket does not answer.
        """
        if kid in self._keys:
            await self._freshen()
        elif self._may_reload():
            asked_at = self._clock()
            async with self._loading:
                if kid not in self._keys and self._may_reload():
                    if self._failed_at >= asked_at:  # whoever went before waited long enough
                        raise StoreUnavailable("the signing keys could not be read")
                    await self._load()
        return self._keys.get(kid)

    async def published(self) -> list[dict[str, Any]]:
        """Return the public keys as a JWK set's `keys` (RFC 8037).

        Raises:
            StoreUnavailable: The bucket does not answer.
        """
        await self.current()
        return [_jwk(key) for key in self._keys.values()]

    def _may_reload(self) -> bool:
        return self._clock() - self._loaded_at >= RELOAD_SECONDS

    async def _freshen(self) -> None:
        """Look again if the picture is old; while the bucket is away, the old one has to do."""
        if not self._keys or self._clock() < self._ask_again_at:
            return
        async with self._loading:
            if self._clock() < self._ask_again_at:
                return
            try:
                async with asyncio.timeout(_FRESHEN_SECONDS):
                    await self._load()
            except (StoreUnavailable, TimeoutError):
                self._ask_again_at = self._clock() + RELOAD_SECONDS

    async def _agree(self) -> str:
        entry = await self._bucket.get(CURRENT)
        if entry is not None:
            return entry.value.decode()
        kid = await make(self._bucket)
        try:
            await self._bucket.create(CURRENT, kid.encode())
        except KeyExists:  # another replica was faster: its key it is
            await self._bucket.delete(kid)
            return await self._agree()
        return kid

    async def _load(self) -> None:
        started = self._clock()
        try:
            keys, current = await self._read_all()
        except StoreUnavailable:
            self._failed_at = self._clock()
            raise
        self._keys, self._current = keys, current
        # Only now: a token whose key could not be looked for must not be called forged.
        self._loaded_at = started
        self._ask_again_at = started + RELOAD_SECONDS

    async def _read_all(self) -> tuple[dict[str, SigningKey], str]:
        pointer = await self._bucket.get(CURRENT)
        current = self._current if pointer is None else pointer.value.decode()
        entries = await self._bucket.matching("*")
        if current and current not in entries:  # a replica of the bucket may lag behind
            entry = await self._bucket.get(current)
            entries |= {} if entry is None else {current: entry}
        keys = {kid: _read(entry.value) for kid, entry in entries.items() if kid != CURRENT}
        return keys, current


async def make(bucket: Bucket) -> str:
    """Make a key and put it into the bucket; returns its name. It does not sign yet.

    Raises:
        StoreUnavailable: The bucket does not answer.
    """
    kid = str(new_id())
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    record = {
        "kid": kid,
        "private_pem": pem.decode(),
        "created_at": datetime.now(UTC).isoformat(),
    }
    await bucket.create(kid, json.dumps(record).encode())
    return kid


def _read(value: bytes) -> SigningKey:
    record = json.loads(value)
    private = load_pem_private_key(record["private_pem"].encode(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError(f"signing key {record['kid']} is not an Ed25519 key")
    return SigningKey(record["kid"], private)


def _jwk(key: SigningKey) -> dict[str, Any]:
    public: dict[str, Any] = OKPAlgorithm.to_jwk(key.public, as_dict=True)
    return {**public, "kid": key.kid, "use": "sig", "alg": "EdDSA"}
