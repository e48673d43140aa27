"""The users at NATS and their keys: each proves who it is with a seed that nobody else has.

An nkey is an Ed25519 key pair in NATS's own writing (ADR-14 of the NATS architecture notes).
The server's configuration knows the public halves only, so whoever reads it can log in as nobody.
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nkeys  # type: ignore[import-untyped]  # it says nothing of its types

SERVICES: Final = ("intake", "leads", "notifier")
OPERATOR: Final = "operator"
SYSTEM: Final = "system"
"""The user of a cluster's system account, for the ``nats`` command."""
USERS: Final = (*SERVICES, OPERATOR, SYSTEM)
_SEED_BYTES: Final = 32


class BadSeed(Exception):
    """A file holds no user's seed; the text names it."""


def new_seed() -> str:
    """The secret half of a new user's key pair: ``SU`` and 56 more characters."""
    raw = secrets.token_bytes(_SEED_BYTES)
    seed: bytes = nkeys.encode_seed(raw, nkeys.PREFIX_BYTE_USER)
    return seed.decode()


def public_key(seed: str) -> str:
    """The public half, ``U`` and 55 more characters.

    Raises:
        BadSeed: this is no user's seed.
    """
    try:
        key: bytes = nkeys.from_seed(bytearray(seed.strip().encode())).public_key
    except (nkeys.NkeysError, ValueError, UnicodeError):
        raise BadSeed("this is not the seed of an nkey") from None
    if not key.startswith(b"U"):
        raise BadSeed("this is the seed of something else than a user")
    return key.decode()


def variable_of(user: str) -> str:
    """Where deploy/nats/*.conf looks for a user's public key."""
    return f"LEADLOG_NATS_{user.upper()}_KEY"


def server_environment(seeds: Mapping[str, str]) -> dict[str, str]:
    """What a server is told of some users: their public keys."""
    return {variable_of(user): public_key(seed) for user, seed in seeds.items()}


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """A folder with one file for each user: ``<user>.seed``, for its owner's eyes only."""

    path: Path

    def seeds(self) -> dict[str, str]:
        """Every user's seed; those that are missing are made.

        Raises:
            BadSeed: a file holds something else.
            OSError: the folder cannot be used.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {user: self._seed(user) for user in USERS}

    def file_of(self, user: str) -> Path:
        """Where a user's seed is."""
        return self.path / f"{user}.seed"

    def _seed(self, user: str) -> str:
        path = self.file_of(user)
        if not path.exists():
            write_private(path, new_seed() + "\n")
        seed = path.read_text().strip()
        try:
            public_key(seed)
        except BadSeed as error:
            raise BadSeed(f"{path}: {error}. Take the file away to have a new one made.") from None
        return seed


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
