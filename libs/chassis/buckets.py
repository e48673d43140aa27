"""A JetStream KV bucket (ADR-8): small things that are not facts about a lead."""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from libs.chassis.group_commit import GroupCommit
from libs.chassis.jetstream import (
    ATTEMPT_SECONDS,
    StoredMessage,
    WrongSequence,
    get_batch,
    with_retries,
)

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_OPERATION: Final = "KV-Operation"
_NO_MESSAGE: Final = 10057
_WRITER: Final = "Leadlog-Write-Id"


class KeyExists(Exception):
    """``create`` found the key in the bucket already."""


class WrongRevision(Exception):
    """``update`` found another revision than the one it was given."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and its revision: the stream sequence it was written at."""

    value: bytes
    revision: int


def key_subject(bucket: str, key: str) -> str:
    """The subject that a key is stored under (pure).

    Raises:
        ValueError: the key has other characters than letters, digits and ``_=.-``.
    """
    if not key or not key.isascii() or not all(c.isalnum() or c in "_=.-" for c in key):
        raise ValueError("a bucket's key is made of letters, digits and _=.-")
    return f"$KV.{bucket}.{key}"


class Bucket:
    """One KV bucket; every call is safe against a lost answer.

    Keys are made of letters, digits and ``_=.-``, and never hold personal data.
    Every call may raise StoreUnavailable.
    """

    def __init__(self, js: JetStreamContext, name: str) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context
        self._group = GroupCommit(js)
        self._stream = f"KV_{name}"
        self._name = name

    async def get(self, key: str) -> Entry | None:
        """The newest entry of a key, or None. The leader answers, so it is never stale."""
        message = await self._last(key)
        if message is None or _OPERATION in message.headers:
            return None
        return Entry(message.data, message.sequence)

    async def create(self, key: str, value: bytes) -> int:
        """Write a key that must not be there yet; its revision.

        Raises:
            KeyExists: somebody else has written it.
        """
        try:
            return await self._write(key, value, expected=0)
        except WrongSequence:
            last = await self._last(key)
        if last is None or _OPERATION not in last.headers:
            raise KeyExists(key)
        try:
            return await self._write(key, value, expected=last.sequence)
        except WrongSequence:
            raise KeyExists(key) from None

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Replace a value that is still at ``revision``; the new revision.

        Raises:
            WrongRevision: it has changed since.
        """
        try:
            return await self._write(key, value, expected=revision)
        except WrongSequence:
            raise WrongRevision(key) from None

    async def put(self, key: str, value: bytes) -> int:
        """Write a value, whatever was there; its revision."""
        ack = await self._group.publish(self._subject(key), value, {"Nats-Msg-Id": str(uuid4())})
        return int(ack.seq)

    async def delete(self, key: str) -> None:
        """Take a key away; it need not exist."""
        headers = {_OPERATION: "DEL", "Nats-Msg-Id": str(uuid4())}
        await self._group.publish(self._subject(key), b"", headers)

    async def erase(self, key: str) -> None:
        """Take a key away and overwrite its newest value's bytes on disk; it need not exist.

        JetStream's secure delete. Values that were replaced before are not overwritten, so this
        is for keys that are written once. Needs the right to delete messages of the bucket.
        """
        last = await self._last(key)
        if last is None:
            return

        async def attempt() -> bool:
            try:
                return await self._js.delete_msg(self._stream, last.sequence)
            except NotFoundError:
                return True
            except APIError as error:
                if error.err_code == _NO_MESSAGE:  # an attempt before has done it
                    return True
                raise

        await with_retries(self._client, attempt)

    async def keys(self) -> list[str]:
        """The keys that hold a value, in the order in which they were written."""
        prefix = f"$KV.{self._name}."
        messages = await get_batch(self._client, self._stream, f"{prefix}>")
        return [
            message.subject.removeprefix(prefix)
            for message in messages
            if _OPERATION not in message.headers
        ]

    async def matching(self, pattern: str) -> dict[str, Entry]:
        """The entries whose keys match a pattern, in one round trip for each 256 of them.

        Args:
            pattern: A key with `*` for whole parts between dots: `<account id>.*`. Any replica
                of a cluster may answer: what was written a moment ago may be missing.
        """
        key_subject(self._name, pattern.replace("*", "_"))
        prefix = f"$KV.{self._name}."
        messages = await get_batch(self._client, self._stream, f"{prefix}{pattern}")
        return {
            message.subject.removeprefix(prefix): Entry(message.data, message.sequence)
            for message in messages
            if _OPERATION not in message.headers
        }

    def _subject(self, key: str) -> str:
        return key_subject(self._name, key)

    async def _write(self, key: str, value: bytes, *, expected: int) -> int:
        # The message id makes a repeat after a lost answer find itself; on a single server
        # the expectation is checked first, so its own write has to be recognised as well.
        write_id = str(uuid4())
        headers = {"Nats-Msg-Id": write_id, _EXPECTED: str(expected), _WRITER: write_id}
        try:
            ack = await self._group.publish(self._subject(key), value, headers)
        except WrongSequence:
            last = await self._last(key)
            if last is not None and last.headers.get(_WRITER) == write_id:
                return last.sequence
            raise
        return int(ack.seq)

    async def _last(self, key: str) -> StoredMessage | None:
        subject = self._subject(key)

        async def attempt() -> StoredMessage | None:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    raw = await self._js.get_last_msg(self._stream, subject)
            except NotFoundError:
                return None
            return StoredMessage(
                subject=subject,
                sequence=raw.seq or 0,
                headers=raw.headers or {},
                data=raw.data or b"",
            )

        return await with_retries(self._client, attempt)
