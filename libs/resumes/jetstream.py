"""The resume store on a JetStream object store (ADR-20 of the NATS architecture notes).

Written here rather than with nats-py's ``ObjectStore``: that waits for each chunk in turn,
takes no pieces from an iterator, and reading has no timeout (docs/adr/0004). The format is
the standard one, so ``nats object get RESUMES <name>`` reads what this writes.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError, NotFoundError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.group_commit import GroupCommit
from libs.chassis.jetstream import ATTEMPT_SECONDS, get_batch, publish, with_retries
from libs.resumes.names import new_name
from libs.resumes.pieces import pieces
from libs.resumes.scan import scan
from libs.resumes.store import ResumeDamaged, ResumeMissing, StoredObject

BUCKET: Final = "RESUMES"
_STREAM: Final = f"OBJ_{BUCKET}"
_PIECE: Final = 256 * 1024
_WINDOW: Final = 4
"""Pieces under way at once: 1 MiB of memory for each upload or download."""


class JetStreamResumeStore:
    """``libs.resumes.store.ResumeStore`` in the object store RESUMES."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context
        self._group = GroupCommit(js)

    async def put(self, lead_id: UUID, chunks: Iterable[bytes], *, size: int, sha256: str) -> str:
        """See ``ResumeStore.put``."""
        name = new_name(lead_id)
        if size <= _PIECE:
            await self._put_small(name, b"".join(chunks), size, sha256)
        else:
            count = await self._put_pieces(name, chunks, size)
            await self._put_meta(name, size, sha256, count)
        return name

    async def _put_small(self, name: str, content: bytes, size: int, sha256: str) -> None:
        """The only piece and the meta message under way at once; both are waited for."""
        if len(content) != size:
            raise ValueError("the size is not the one announced")
        piece = self._group.publish(_chunk_subject(name), content, {"Nats-Msg-Id": f"{name}.0"})
        await _all([piece, self._put_meta(name, size, sha256, 1)])

    async def _put_pieces(self, name: str, chunks: Iterable[bytes], size: int) -> int:
        rest, count, last, written = pieces(chunks, _PIECE), 0, 0, 0
        subject = _chunk_subject(name)
        while window := list(islice(rest, _WINDOW)):
            ids = [{"Nats-Msg-Id": f"{name}.{count + i}"} for i in range(len(window))]
            acks = await _all(
                publish(self._js, subject, *one) for one in zip(window, ids, strict=True)
            )
            sequences = [last, *(ack.seq for ack in acks)]
            if sequences != sorted(sequences):
                # A repeat overtook its neighbour: the pieces would be read in a wrong order.
                raise StoreUnavailable("the pieces of a resume arrived out of order")
            last = sequences[-1]
            count += len(window)
            written += sum(map(len, window))
        if written != size:
            raise ValueError("the size is not the one announced")
        return count

    async def _put_meta(self, name: str, size: int, sha256: str, count: int) -> PubAck:
        digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode()
        meta = {
            "name": name,
            "bucket": BUCKET,
            "nuid": name,
            "size": size,
            "chunks": count,
            "digest": f"SHA-256={digest}",
            "mtime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "options": {"max_chunk_size": _PIECE},
        }
        headers = {"Nats-Msg-Id": f"{name}.meta"}
        return await self._group.publish(_meta_subject(name), json.dumps(meta).encode(), headers)

    async def read(self, object_name: str) -> AsyncIterator[bytes]:
        """See ``ResumeStore.read``."""
        meta = await self._meta(object_name)
        digest, size = hashlib.sha256(), 0
        async for data in self._read_pieces(str(meta["nuid"])):
            digest.update(data)
            size += len(data)
            yield data
        wanted = base64.urlsafe_b64decode(str(meta["digest"]).removeprefix("SHA-256="))
        if digest.digest() != wanted or size != meta["size"]:
            raise ResumeDamaged

    async def _read_pieces(self, nuid: str) -> AsyncIterator[bytes]:
        first = 1
        while True:
            window = await get_batch(
                self._client,
                _STREAM,
                f"$O.{BUCKET}.C.{nuid}",
                first=first,
                batch=_WINDOW,
                pages=1,
            )
            for message in window:
                yield message.data
                first = message.sequence + 1
            if len(window) < _WINDOW:
                return

    async def _meta(self, name: str) -> dict[str, Any]:
        messages = await get_batch(self._client, _STREAM, _meta_subject(name))
        meta: dict[str, Any] = json.loads(messages[-1].data) if messages else {"deleted": True}
        if meta.get("deleted"):
            raise ResumeMissing
        return meta

    async def delete(self, object_name: str) -> None:
        """See ``ResumeStore.delete``.

        Message by message, since that overwrites the bytes on disk; a purge leaves them there.
        """
        for subject in (_meta_subject(object_name), _chunk_subject(object_name)):
            for sequence in await self._sequences(subject):
                await self._erase(sequence)

    async def _sequences(self, subject: str) -> list[int]:
        found, first = [], 1
        while True:
            some = await get_batch(
                self._client, _STREAM, subject, first=first, batch=_WINDOW, pages=1
            )
            found += [message.sequence for message in some]
            if len(some) < _WINDOW:
                return found
            first = some[-1].sequence + 1

    async def _erase(self, sequence: int) -> None:
        async def attempt() -> None:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await self._js.delete_msg(_STREAM, sequence)
            except NotFoundError:
                return
            except APIError as error:
                if error.err_code != 10057:  # noqa: PLR2004 - "message not found", a repeat's answer
                    raise

        await with_retries(self._client, attempt)

    async def stored(self, *, after: int, until: datetime) -> tuple[list[StoredObject], int]:
        """See ``ResumeStore.stored``."""
        return await scan(self._js, after=after, until=until)


async def _all(publishes: Iterable[Awaitable[PubAck]]) -> list[PubAck]:
    """Wait for every one, also when one fails: none may still write while we clean up."""
    results = await asyncio.gather(*publishes, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, PubAck)]


def _chunk_subject(name: str) -> str:
    return f"$O.{BUCKET}.C.{name}"


def _meta_subject(name: str) -> str:
    return f"$O.{BUCKET}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"
