"""Recovery codes: one-time look-up secrets for whoever has lost the other factor (pure).

Each has 120 random bits. NIST SP 800-63B-4 (3.1.2.2) and OWASP ASVS 5.0 (6.5.2) ask for a
slow, salted hash below 112 bits only, so SHA-256 is enough, and checking one costs nothing.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from services.leads.auth.mfa.credentials import Credentials

COUNT: Final = 10
_BYTES: Final = 15
_GROUP: Final = 4
_LOOKALIKES: Final = str.maketrans({"0": "o", "1": "i", "8": "b"})
"""Base32 has no 0, 1 or 8: whoever types one has misread a letter."""


def new_codes() -> tuple[str, ...]:
    """Return a fresh set, to be shown once."""
    return tuple(_code() for _ in range(COUNT))


def hashed(code: str) -> str:
    """Return what is kept of a code; case, blanks and hyphens do not matter."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.translate(_LOOKALIKES).encode("utf-8", "replace")).hexdigest()


def with_codes(credentials: Credentials, codes: tuple[str, ...]) -> Credentials:
    """Return the record with these codes in the place of all earlier ones."""
    return credentials.model_copy(update={"recovery_codes": tuple(hashed(code) for code in codes)})


def used(credentials: Credentials, code: str) -> tuple[Credentials, bool]:
    """Return the record without the code, and whether it was there."""
    shown = hashed(code)
    left = tuple(one for one in credentials.recovery_codes if not hmac.compare_digest(one, shown))
    found = len(left) < len(credentials.recovery_codes)
    return credentials.model_copy(update={"recovery_codes": left}), found


def _code() -> str:
    text = base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
