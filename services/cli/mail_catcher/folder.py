"""The folder in which the mails are kept, one file for each."""

import os
import re
from pathlib import Path
from typing import Final

from libs.events import new_id
from services.cli.mail_catcher.envelope import stamp
from services.cli.mail_catcher.mails import Summary, summarize

_SUFFIX: Final = ".eml"
_PART_SUFFIX: Final = ".eml.part"
# A UUIDv7 as it is written here. It starts with 0 until the year 2527.
_ID: Final = re.compile(r"0[0-9a-f]{7}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HEAD_BYTES: Final = 256 * 1024


class MailMissing(Exception):
    """There is no such mail, or it was deleted."""


class MailFolder:
    """Mails on disk. The folder itself is the only state: files may come and go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._summaries: dict[str, Summary] = {}  # a mail never changes

    def open(self) -> None:
        """Make the folder if need be, and remove what a killed process left half written.

        Raises:
            OSError: it cannot be made or written to.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self.path.glob(f"*{_PART_SUFFIX}"):
            if _ID.fullmatch(left.name.removesuffix(_PART_SUFFIX)):
                left.unlink()
        probe = self.path / f"{new_id()}{_PART_SUFFIX}"
        probe.touch(exist_ok=False)
        probe.unlink()

    def keep(self, sender: str, recipients: list[str], data: bytes) -> str:
        """Write a mail; it is on disk, whole, when this returns its id.

        Raises:
            OSError: it could not be written; nothing is left of it.
        """
        mail_id = str(new_id())
        part = self.path / f"{mail_id}{_PART_SUFFIX}"
        # Somebody may have deleted the folder meanwhile, to be rid of the mails.
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            _write(part, stamp(sender, recipients) + data)
            part.replace(self._file(mail_id))
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return mail_id

    def ids(self) -> list[str]:
        """Of all mails, newest first."""
        try:
            names = os.listdir(self.path)  # noqa: PTH208 - names are all that is asked for
        except (FileNotFoundError, NotADirectoryError):
            return []
        ids = (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
        return sorted(filter(_ID.fullmatch, ids), reverse=True)

    def read(self, mail_id: str) -> bytes:
        """A mail as it is kept.

        Raises:
            MailMissing: there is none of this id, or it is no id at all.
        """
        return self._begin(mail_id, -1)

    def summaries(self, ids: list[str]) -> list[Summary]:
        """Lines for the list; a mail that was deleted meanwhile is left out."""
        return [summary for each in ids if (summary := self._summary(each))]

    def clear(self) -> None:
        """Delete all mails."""
        for mail_id in self.ids():
            self._file(mail_id).unlink(missing_ok=True)
        self._summaries = {}

    def writable(self) -> bool:
        """Whether the next mail could be kept, as far as can be told."""
        return os.access(self.path, os.W_OK | os.X_OK)

    def _summary(self, mail_id: str) -> Summary | None:
        if found := self._summaries.get(mail_id):
            return found
        try:
            summary = summarize(mail_id, self._begin(mail_id, _HEAD_BYTES))
        except MailMissing:
            return None
        self._summaries[mail_id] = summary
        return summary

    def _begin(self, mail_id: str, size: int) -> bytes:
        if not _ID.fullmatch(mail_id):
            raise MailMissing
        try:
            with self._file(mail_id).open("rb") as file:
                return file.read(size)
        except FileNotFoundError:
            raise MailMissing from None

    def _file(self, mail_id: str) -> Path:
        return self.path / f"{mail_id}{_SUFFIX}"


def _write(path: Path, data: bytes) -> None:
    """Write a new file that only this user may read, through to the disk."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
