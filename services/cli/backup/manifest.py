"""What a backup file holds, and in which order it is taken (pure)."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"

LOG: Final = "LEADS"
TAKEN_FIRST: Final = (LOG, "DEAD_LETTERS", "KV_MAIL_LEDGER", "KV_IDEMPOTENCY", "OBJ_RESUMES")
"""What refers to something is taken before what it refers to; see docs/backup.md."""
TAKEN_LAST: Final = ("KV_SESSIONS", "KV_ACCOUNTS")


class BadBackup(Exception):
    """The file is no whole backup; the text says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stream in the file.

    Attributes:
        stream: its name.
        file: the name of its snapshot in the archive.
        size: of the snapshot, bytes.
        sha256: of the snapshot, lower-case hex.
        exact: nothing was removed from the stream while its snapshot was taken, so that
            ``state`` counts what the snapshot holds; otherwise it holds that much or less.
        config: the stream's configuration, as the server tells it.
        state: the stream's state, as the server tells it.
    """

    stream: str
    file: str
    size: int
    sha256: str
    exact: bool
    config: dict[str, Any]
    state: dict[str, Any]

    @property
    def messages(self) -> int:
        """How many messages the stream held."""
        return int(self.state["messages"])

    @property
    def last(self) -> int:
        """The position of its last message."""
        return int(self.state["last_seq"])


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands in ``manifest.json``; ``leadlog`` and ``server`` are versions.

    Attributes:
        expires_at: until when it may be kept: it holds people who have been erased since.
    """

    format: int
    leadlog: str
    server: str
    started_at: datetime
    ended_at: datetime
    parts: tuple[Part, ...]
    expires_at: datetime | None = None

    @property
    def size(self) -> int:
        """Of all snapshots, bytes."""
        return sum(part.size for part in self.parts)

    def part(self, stream: str) -> Part:
        """One stream's part."""
        return next(part for part in self.parts if part.stream == stream)

    def to_json(self) -> bytes:
        """The manifest as it is written."""
        return json.dumps(asdict(self), indent=2, default=datetime.isoformat).encode() + b"\n"


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BadBackup: it is none, or of a newer version of Leadlog.
    """
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise BadBackup(
                f"it is of format {raw['format']}, and this version of leadlog reads format "
                f"{FORMAT}; restore it with leadlog {raw.get('leadlog', 'of its time')}"
            )
        times = {name: datetime.fromisoformat(raw[name]) for name in ("started_at", "ended_at")}
        if raw.get("expires_at"):
            times["expires_at"] = datetime.fromisoformat(raw["expires_at"])
        parts = tuple(Part(**part) for part in raw["parts"])
        found = Manifest(**{**raw, **times, "parts": parts})
        _check_states(found)
    except (ValueError, KeyError, TypeError) as error:
        raise BadBackup(f"its manifest cannot be read ({type(error).__name__})") from None
    return found


def _check_states(manifest: Manifest) -> None:
    streams = {part.stream for part in manifest.parts}
    if len(streams) != len(manifest.parts) or not {LOG, "DEAD_LETTERS"} <= streams:
        raise BadBackup("its manifest does not name the streams of leadlog")
    for part in manifest.parts:
        if part.messages < 0 or part.last < 0 or part.config["name"] != part.stream:
            raise ValueError(part.stream)


def order_of(streams: Iterable[str]) -> list[str]:
    """The streams in the order in which they are taken."""
    names = list(streams)
    first = [name for name in TAKEN_FIRST if name in names]
    last = [name for name in TAKEN_LAST if name in names]
    return [*first, *last, *(name for name in names if name not in {*first, *last})]


def sums_of(files: Iterable[tuple[str, str]]) -> bytes:
    """Names and hashes in the form that ``sha256sum --check`` reads."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in files).encode()


def parse_sums(text: bytes) -> dict[str, str]:
    """The hashes by name.

    Raises:
        BadBackup: a line is not ``<hash>  <name>``.
    """
    try:
        lines = (line.split("  ", 1) for line in text.decode("ascii").splitlines())
        return {name: sha256 for sha256, name in lines}
    except ValueError:
        raise BadBackup(f"{SUMS} cannot be read") from None
