"""The data folder of ``leadlog up``: everything that survives a restart."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from services.cli.nats_keys import BadSeed, KeyFolder, write_private

_PATIENCE: Final = 30.0
_POLL: Final = 0.05


class DataFolderProblem(Exception):
    """The folder cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where things are in it."""

    path: Path

    @property
    def jetstream(self) -> Path:
        """JetStream's store: every lead, account and resume."""
        return self.path / "jetstream"

    @property
    def mails(self) -> Path:
        """What the mail catcher has caught."""
        return self.path / "mails"

    @property
    def logs(self) -> Path:
        """One file for each process."""
        return self.path / "logs"

    @property
    def database(self) -> Path:
        """The read model of leads; it can be deleted while nothing runs."""
        return self.path / "leads.sqlite"

    @property
    def state(self) -> Path:
        """URLs and process ids while the system runs."""
        return self.path / "up.json"

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            DataFolderProblem: they cannot be made.
        """
        try:
            for folder in (self.path, self.jetstream, self.mails, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataFolderProblem(
                f"Cannot make the data folder {self.path}: {error.strerror}. "
                "Name another one with --data."
            ) from None

    @contextmanager
    def locked(self, patience: float = _PATIENCE) -> Iterator[int]:
        """Hold the folder for one program and its children at a time.

        Yields the lock's descriptor: a child that inherits it holds the folder as long as it
        lives, so that no second nats-server is started on one store.

        Args:
            patience: how long to wait, in seconds, for children of a program that was killed.

        Raises:
            DataFolderProblem: another program holds it, or it cannot be written to.
        """
        try:
            lock = (self.path / ".lock").open("a+")
        except OSError as error:
            raise DataFolderProblem(
                f"Cannot write to the data folder {self.path}: {error.strerror}. "
                "Make it yours, or name another one with --data."
            ) from None
        with lock:
            self._acquire(lock, patience)
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield lock.fileno()

    def _acquire(self, lock: IO[str], patience: float) -> None:
        end = time.monotonic() + patience
        while not _locks(lock):
            lock.seek(0)
            holder = lock.read().strip()
            if _lives(holder):
                raise DataFolderProblem(
                    f"The data folder {self.path} is in use by another `leadlog` (process "
                    f"{holder}). Stop that one first, or name another folder with --data."
                )
            if time.monotonic() > end:
                raise DataFolderProblem(
                    f"The data folder {self.path} is still in use by processes of a `leadlog up` "
                    f"that was killed. End them, or name another folder with --data."
                )
            time.sleep(_POLL)

    def seeds(self) -> dict[str, str]:
        """The secret key of each user at nats-server, made at the first start.

        Raises:
            DataFolderProblem: one cannot be used.
        """
        folder = self.path / "secrets"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            return KeyFolder(folder / "nats").seeds()
        except BadSeed as error:
            raise DataFolderProblem(str(error)) from None
        except OSError as error:
            raise DataFolderProblem(
                f"Cannot use the keys in {folder}: {error.strerror}. Make the folder yours."
            ) from None

    def write_state(self, state: dict[str, Any]) -> None:
        """Tell other commands and scripts what runs."""
        write_private(self.state, json.dumps(state, indent=2) + "\n")

    def read_state(self) -> dict[str, Any] | None:
        """What runs on this folder, or None."""
        try:
            state: dict[str, Any] = json.loads(self.state.read_text())
            os.kill(int(state["pid"]), 0)
        except (OSError, ValueError, KeyError):
            return None
        return state

    def clear_state(self) -> None:
        """Nothing runs any more."""
        with suppress(FileNotFoundError):
            self.state.unlink()


def _locks(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lives(pid: str) -> bool:
    """Whether a process of this id runs; a lock that was taken just now names none yet."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
