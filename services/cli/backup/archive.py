"""The backup file: a tar archive, written in one go and in constant memory.

A snapshot's length is known only at its end, so its header is written after it, in the
place that was left free. The file is made under another name and gets its own when it is whole
and on disk.
"""

import fcntl
import hashlib
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Self

from services.cli.backup.manifest import (
    MANIFEST,
    SUMS,
    BadBackup,
    Manifest,
    parse_manifest,
    parse_sums,
    sums_of,
)

_BLOCK: Final = tarfile.BLOCKSIZE
_READ: Final = 256 * 1024
_MANIFEST_LIMIT: Final = 16 * 1024 * 1024
OnBytes = Callable[[int], None]


class Member:
    """One file in the archive, while it is written."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self.size = 0
        self._file = file
        self._start = file.tell()
        self._digest = hashlib.sha256()
        file.write(bytes(_BLOCK))

    def write(self, data: bytes) -> None:
        """Append to it."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def begin_again(self) -> None:
        """Forget what was written."""
        self._file.seek(self._start + _BLOCK)
        self._file.truncate()
        self._digest, self.size = hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """Of what was written, lower-case hex."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Fill the last block, and write the header."""
        self._file.write(bytes(-self.size % _BLOCK))
        end = self._file.tell()
        self._file.seek(self._start)
        self._file.write(_header(self.name, self.size))
        self._file.seek(end)


class ArchiveWriter:
    """Writes a backup file; used as a context, an error removes what was written.

    Raises:
        BlockingIOError: another backup is being written to this file.
        OSError: it cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(target.name + ".partial")
        self._sums: list[tuple[str, str]] = []
        self._finished = False
        # 0600: it holds names, addresses, resumes and the keys that sign access tokens.
        descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(descriptor, 0o600)
            self._file.truncate(0)  # what a backup that was killed has left
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            self._partial.unlink(missing_ok=True)
        self._file.close()

    @contextmanager
    def member(self, name: str) -> Iterator[Member]:
        """Add a file."""
        member = Member(name, self._file)
        yield member
        member.close()
        self._sums.append((name, member.sha256))

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest and the hashes; only now does the file get its name."""
        for name, text in ((MANIFEST, manifest.to_json()), (SUMS, None)):
            with self.member(name) as member:
                member.write(sums_of(self._sums) if text is None else text)
        self._file.write(bytes(2 * _BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._partial.replace(self._target)
        self._finished = True
        _sync_folder(self._target.parent)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    # This format takes any size in one block; others add blocks from 8 GiB on.
    return info.tobuf(tarfile.GNU_FORMAT)


def _sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk, see fsync(2)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ArchiveReader:
    """Reads a backup file; used as a context.

    Raises:
        BadBackup: it is no backup, or one that ends too early.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            # The stream ends at the first damaged header; what is missing then is noticed.
            self._tar = tarfile.open(path, mode="r:")  # noqa: SIM115 - closed by the context
            self._members = {member.name: member for member in self._tar.getmembers()}
        except (tarfile.TarError, EOFError):
            raise BadBackup("it is no backup of leadlog, or it is damaged") from None
        try:
            self.manifest = parse_manifest(self._small(MANIFEST))
        except BaseException:
            self._tar.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def chunks(self, name: str, size: int = _READ) -> Iterator[bytes]:
        """A file's bytes, in pieces.

        Raises:
            BadBackup: it is missing or cut off.
        """
        if name not in self._members:
            raise BadBackup(f"{name} is missing; the file was cut off or damaged")
        try:
            file = self._tar.extractfile(self._members[name])
            while file is not None and (chunk := file.read(size)):
                yield chunk
        except (tarfile.TarError, EOFError):
            raise BadBackup(f"{name} is cut off") from None

    def _small(self, name: str) -> bytes:
        found = b""
        for chunk in self.chunks(name):
            found += chunk
            if len(found) > _MANIFEST_LIMIT:
                raise BadBackup(f"{name} is far too large")
        return found

    def check(self, on_bytes: OnBytes = lambda _count: None) -> None:
        """Compare everything with its SHA-256.

        Raises:
            BadBackup: something is missing or not as it was written.
        """
        wanted = parse_sums(self._small(SUMS))
        for part in self.manifest.parts:
            if wanted.get(part.file) != part.sha256:
                raise BadBackup(f"the manifest and {SUMS} disagree about {part.file}")
        for name, sha256 in {MANIFEST: "", **wanted}.items():
            digest = hashlib.sha256()
            for chunk in self.chunks(name):
                digest.update(chunk)
                on_bytes(len(chunk))
            if digest.hexdigest() != sha256:
                raise BadBackup(f"{name} is not as it was written (SHA-256)")
