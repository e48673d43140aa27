"""How an API key is written (pure): `leadlog_<id>_<secret>_<checksum>`.

The fixed beginning and the checksum let secret scanners find a leaked key without false alarms,
and let a mistyped one be refused without looking it up. The id is the key's UUID without its
hyphens, the secret 32 random bytes in base32, the checksum the CRC-32 of all before it.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from base64 import b32encode
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

PREFIX: Final = "leadlog_"
_SECRET_BYTES: Final = 32
_WRITTEN: Final = re.compile(r"leadlog_([0-9a-f]{32})_([a-z2-7]{52})_([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as it was shown; the secret shows in no `repr`."""

    key_id: str
    secret: str = field(repr=False)

    def written(self) -> str:
        """Return the whole key, checksum and all."""
        body = f"{PREFIX}{UUID(self.key_id).hex}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    def hashed(self) -> str:
        """Return what is kept of it: SHA-256, since a slow hash adds nothing to 256 random bits."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def fits(self, kept_hash: str) -> bool:
        """Tell whether it is the key that this was kept of, in constant time."""
        return hmac.compare_digest(self.hashed(), kept_hash)


def generate(key_id: str) -> KeyText:
    """Make up a key with this id."""
    secret = b32encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=").lower()
    return KeyText(key_id, secret)


def read(text: str) -> KeyText | None:
    """Read a key; None for what is none, or was cut or mistyped."""
    found = _WRITTEN.fullmatch(text)
    if found is None or _checksum(text.rpartition("_")[0]) != found[3]:
        return None
    return KeyText(str(UUID(found[1])), found[2])


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
