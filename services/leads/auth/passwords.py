"""Password hashes: argon2id with the library's recommended cost, off the event loop."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.leads.auth.password_rules import normalised

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE: Final = 2
_WAITING: Final = 64
"""One hash takes 64 MiB and tens of milliseconds of a core: no more than so many together."""


class TooBusy(Exception):
    """So many passwords wait to be checked that one more would only make it worse."""


def generate() -> str:
    """Return a new random password (144 bits)."""
    return secrets.token_urlsafe(18)


class Passwords:
    """Hashes and verifies, a few at a time, in threads.

    Args:
        hasher: argon2id with its cost; the default is RFC 9106's low-memory choice.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._decoy = self._hasher.hash(generate())

    async def hash(self, password: str) -> str:
        """Return the hash, with its salt and cost, as text.

        Raises:
            TooBusy: Too many wait already.
        """
        return await self._work(self._hasher.hash, normalised(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password fits.

        Without a hash (no such account) the same work is done, so that the time taken does not
        tell which accounts exist.

        Raises:
            TooBusy: Too many wait already.
        """
        known = self._decoy if password_hash is None else password_hash
        fits = await self._work(self._fits, known, normalised(password))
        return fits and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _work(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._waiting >= _WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work, *args, **kwargs)
        finally:
            self._waiting -= 1

    def _fits(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
