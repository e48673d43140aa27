"""Putting a backup into an empty server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from libs.events.letter_store import Letters
from services.cli.backup.api import CHUNK, info_of, put_back
from services.cli.backup.archive import ArchiveReader
from services.cli.backup.manifest import LOG, Part

_EXISTS: Final = frozenset({10058, 10130})
OnProgress = Callable[[str, int], None]


class NotEmpty(Exception):
    """The server holds streams of the backup; the text names them."""


class NotAsBackedUp(Exception):
    """A restored stream is not what the manifest says; the text names it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        streams: how many.
        messages: how many they hold.
        letters: dead letters left out, since their leads came after the backup of the log.
    """

    streams: int
    messages: int
    letters: int


class Restore:
    """One restore.

    Attributes:
        made: the streams that are there because of it.
    """

    def __init__(
        self,
        js: JetStreamContext,
        backup: ArchiveReader,
        *,
        replicas: int | None = None,
        on_progress: OnProgress = lambda _stream, _count: None,
    ) -> None:
        self._js = js
        self._backup = backup
        self._replicas = replicas
        self._on_progress = on_progress
        self.made: list[str] = []

    async def run(self) -> Restored:
        """Make every stream; a check of the file must have passed.

        Raises:
            NotEmpty: one of them exists; nothing was done.
            NotAsBackedUp, SnapshotFailed, APIError, BadBackup: see ``made``.
        """
        # The log comes last: services that are running wait for it.
        parts = self._backup.manifest.parts[::-1]
        existing = [part.stream for part in parts if await self._exists(part.stream)]
        if existing:
            raise NotEmpty(", ".join(sorted(existing)))
        for part in parts:
            await self._put_back(part)
        messages = sum([await self._check(part) for part in parts])
        letters = await self._drop_letters_beyond(self._backup.manifest.part(LOG).last)
        return Restored(len(parts), messages - letters, letters)

    async def clean_up(self) -> list[str]:
        """Take away what was made; the names of those that could not be reached."""
        left = []
        for name in self.made:
            try:
                await self._js.delete_stream(name)
            except NotFoundError:
                continue
            except (nats.errors.Error, TimeoutError):
                left.append(name)
        return left

    async def _exists(self, name: str) -> bool:
        try:
            await info_of(self._js, name)
        except NotFoundError:
            return False
        return True

    async def _put_back(self, part: Part) -> None:
        config = dict(part.config)
        if self._replicas is not None:
            config["num_replicas"] = self._replicas
        self.made.append(part.stream)
        try:
            await put_back(
                self._js._nc,  # noqa: SLF001 - nats-py has no public way from a context
                part.stream,
                config,
                part.state,
                self._chunks(part),
            )
        except APIError as error:
            if error.err_code in _EXISTS:
                self.made.remove(part.stream)  # somebody else's
            raise

    def _chunks(self, part: Part) -> Iterator[bytes]:
        for chunk in self._backup.chunks(part.file, CHUNK):
            yield chunk
            self._on_progress(part.stream, len(chunk))

    async def _check(self, part: Part) -> int:
        """Compare a restored stream with the manifest; how many messages it holds."""
        state = (await info_of(self._js, part.stream)).state
        if state.last_seq != part.last:
            raise NotAsBackedUp(f"{part.stream} ends at {state.last_seq} instead of {part.last}")
        # What has outlived its time in the meantime is not restored.
        may_have_less = not part.exact or bool(part.config.get("max_age"))
        if state.messages > part.messages or (state.messages < part.messages and not may_have_less):
            raise NotAsBackedUp(
                f"{part.stream} has {state.messages} messages instead of {part.messages}"
            )
        for consumer in await self._js.consumers_info(part.stream):
            if consumer.ack_floor is not None and consumer.ack_floor.stream_seq > state.last_seq:
                # It would pass over the next events.
                raise NotAsBackedUp(f"the consumer {consumer.name} is ahead of {part.stream}")
        return state.messages

    async def _drop_letters_beyond(self, last: int) -> int:
        """Leave out dead letters of events that the restored log does not have.

        Their positions will be given to other events, whose letters need those subjects.
        """
        letters = Letters(self._js)
        beyond = [letter for letter in await letters.find_all() if letter.sequence > last]
        for letter in beyond:
            await letters.discard(letter.id)
        return len(beyond)
