"""Taking a backup from a running system."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from nats.js import JetStreamContext

from libs import __version__
from libs.events.topology import declared
from services.cli.backup.api import info_of, take
from services.cli.backup.archive import ArchiveWriter, Member
from services.cli.backup.manifest import FORMAT, Manifest, Part, order_of

REPLACING: Final = frozenset(
    {"DEAD_LETTERS", "KV_SESSIONS", "KV_ACCOUNTS", "KV_SIGNING_KEYS", "KV_SETTINGS"}
)
"""Streams in which a new message takes an older one's place."""
_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.1

OnProgress = Callable[[str, int], None]
"""Told the stream and how many more bytes of it have arrived."""


class NeverStill(Exception):
    """A stream was changed during each try to take it; the text is its name."""


def names() -> list[str]:
    """The streams that a backup holds, in the order in which they are taken."""
    return order_of(str(stream.name) for stream in declared())


async def back_up(
    js: JetStreamContext,
    target: Path,
    on_progress: OnProgress = lambda _stream, _count: None,
    *,
    lasts: timedelta | None = None,
) -> Manifest:
    """Write every stream to a file; everything else may go on meanwhile.

    Args:
        js: a connection that may take snapshots.
        target: the file.
        on_progress: told how far it is.
        lasts: how long the file may be kept; None: for ever.

    Raises:
        SnapshotFailed, APIError: the server did not give a stream.
        NeverStill: a bucket was changed all the time.
        OSError: the file cannot be written.
    """
    version = js._nc.connected_server_version  # noqa: SLF001 - nats-py has no public way there
    started = datetime.now(UTC)
    with ArchiveWriter(target) as archive:
        parts = []
        for name in names():
            with archive.member(f"{name}.snapshot") as member:
                parts.append(await _take_whole(js, name, member, on_progress))
        manifest = Manifest(
            format=FORMAT,
            leadlog=__version__,
            server=f"{version.major}.{version.minor}.{version.patch}",
            started_at=started,
            ended_at=datetime.now(UTC),
            parts=tuple(parts),
            expires_at=None if lasts is None else started + lasts,
        )
        archive.finish(manifest)
    return manifest


async def _take_whole(
    js: JetStreamContext, name: str, member: Member, on_progress: OnProgress
) -> Part:
    """Take a stream, again if something in it was replaced meanwhile.

    A snapshot goes from the first message to the one that was the last when it began, and
    reads them while the stream is in use. A key that is written meanwhile has lost its old
    value when the snapshot gets there, and its new one is beyond the end: it would be in no backup
    at all.
    """
    for _ in range(_TRIES):
        part = await _take(js, name, member, on_progress)
        if part.exact or name not in REPLACING:
            return part
        member.begin_again()
        await asyncio.sleep(_PAUSE_SECONDS)
    raise NeverStill(name)


async def _take(js: JetStreamContext, name: str, member: Member, on_progress: OnProgress) -> Part:
    snapshot = await take(js._nc, name)  # noqa: SLF001 - as above
    async for chunk in snapshot.chunks:
        member.write(chunk)
        on_progress(name, len(chunk))
    after = (await info_of(js, name)).state
    added = after.last_seq - int(snapshot.state["last_seq"])
    removed = int(snapshot.state["messages"]) + added - after.messages
    return Part(
        stream=name,
        file=member.name,
        size=member.size,
        sha256=member.sha256,
        exact=removed == 0,
        config=snapshot.config,
        state=snapshot.state,
    )
