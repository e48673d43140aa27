"""TOTP secrets at rest: AES-256-GCM under keys that are not in NATS (pure).

A TOTP secret has to be readable, unlike a password, so a copy of the bucket would be enough
to make codes. With a key from the environment it is not (docs/sign-in.md).
"""

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CLEAR: Final = "clear:"
_SEALED: Final = "aes256gcm:"


class BadKey(ValueError):
    """A key is not 32 bytes in base64."""


class CannotOpen(Exception):
    """The secret was sealed with a key that this service was not given."""


class Sealing:
    """Seals with the first key, opens with any; without keys, keeps secrets as they are.

    Args:
        keys: Base64 of 32 bytes each, the newest first.

    Raises:
        BadKey: A key is something else.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._ciphers = [AESGCM(_key(text)) for text in keys]

    def seal(self, secret: str, owner: str) -> str:
        """Return the secret as it may be stored; only with its owner's id it opens again."""
        if not self._ciphers:
            return _CLEAR + secret
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = self._ciphers[0].encrypt(nonce, secret.encode(), owner.encode())
        return _SEALED + base64.b64encode(nonce + text).decode()

    def open(self, sealed: str, owner: str) -> str:
        """Return the secret.

        Raises:
            CannotOpen: No key fits, or it is another owner's.
        """
        if sealed.startswith(_CLEAR):
            return sealed.removeprefix(_CLEAR)
        try:
            raw = base64.b64decode(sealed.removeprefix(_SEALED), validate=True)
        except binascii.Error:
            raise CannotOpen("the stored secret is damaged") from None
        for cipher in self._ciphers:
            try:
                text = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
            except (InvalidTag, ValueError):
                continue
            return text.decode()
        raise CannotOpen("LEADLOG_LEADS_CREDENTIAL_KEY does not hold the key of this secret")


def new_key() -> str:
    """Return a key as the setting takes it."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        key = b""
    if len(key) != KEY_BYTES:
        raise BadKey("a key is 32 random bytes in base64: openssl rand -base64 32")
    return key
