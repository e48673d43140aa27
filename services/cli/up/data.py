"""The data folder of ``leadlog up``: everything that survives a restart."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    def locked(self) -> Iterator[None]:
        """Hold the folder for one process at a time.

        Raises:
            DataFolderProblem: another one holds it.
        """
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataFolderProblem(
                    f"The data folder {self.path} is in use by another `leadlog up`. "
                    "Stop that one first, or name another folder with --data."
                ) from None
            yield

    def nats_password(self) -> str:
        """The password between the services and nats-server, made at the first start."""
        path = self.path / "secrets" / "nats-password"
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_private(path, secrets.token_urlsafe(32))
        return path.read_text().strip()

    def write_state(self, state: dict[str, Any]) -> None:
        """Tell other commands and scripts what runs."""
        _write_private(self.state, json.dumps(state, indent=2) + "\n")

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


def _write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
