"""The commands ``leadlog backup`` and ``leadlog restore``."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import nats.errors
import typer
from nats.js import JetStreamContext
from nats.js.errors import APIError
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from libs.chassis.errors import StoreUnavailable
from libs.events.topology import missing
from services.cli import broker
from services.cli.accounts import Data
from services.cli.backup.api import SnapshotFailed
from services.cli.backup.apply import NotAsBackedUp, NotEmpty, Restore, Restored
from services.cli.backup.archive import ArchiveReader
from services.cli.backup.create import NeverStill, back_up, names
from services.cli.backup.erasures import BadList, erase_again, parse_list
from services.cli.backup.manifest import BadBackup, Manifest
from services.cli.console import console
from services.cli.up.data import DataFolder
from services.cli.verify import examine

_REPLICAS: Final = (1, 3, 5)
_SHOWN: Final = 3
_LONGEST_DAYS: Final = 365
"""The bucket ERASURES remembers longer, so that whoever was erased can be erased again."""
_FAULTS: Final = (
    SnapshotFailed,
    NotAsBackedUp,
    BadBackup,
    StoreUnavailable,
    APIError,
    nats.errors.Error,
)


def backup(
    file: Annotated[Path, typer.Argument(help="The file to make.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="First check every event and resume, as `leadlog verify` does; nothing is "
            "written if one is damaged.",
        ),
    ] = True,
    expires_days: Annotated[
        int,
        typer.Option(
            min=1,
            max=_LONGEST_DAYS,
            help="How long the file may be kept. It holds people who are erased later.",
        ),
    ] = 90,
    data: Data = Path("var"),
) -> None:
    """Write everything to one file: leads, resumes, accounts, keys. All may run meanwhile.

    The file can be read by its owner alone; it holds personal data and the keys that sign
    logins, so keep it encrypted. `leadlog restore --check FILE` checks it.
    """
    if file.is_dir():
        broker.give_up(f"{file} is a folder; name a file.")
    if file.exists() and not force:
        broker.give_up(f"{file} exists. Name another file, or replace it with --force.")
    started = time.monotonic()
    made = broker.run(_backup(data, file, verify=verify, lasts=timedelta(days=expires_days)))
    messages = sum(part.messages for part in made.parts)
    _say(
        f"{file}: {len(made.parts)} streams, {messages} messages, "
        f"{decimal(file.stat().st_size)}, taken in {time.monotonic() - started:.1f} s. "
        f"Delete it by {made.expires_at:%Y-%m-%d}."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file of `leadlog backup`.", show_default=False)],
    check: Annotated[
        bool, typer.Option("--check", help="Only check the file's SHA-256 sums; needs no server.")
    ] = False,
    replicas: Annotated[
        int | None,
        typer.Option(help="1 for a single server, 3 in a cluster; by default as it was."),
    ] = None,
    erased: Annotated[
        Path | None,
        typer.Option(
            help="A file of `leadlog erasures`: who is in it is erased again.", show_default=False
        ),
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Restore the file although its time is over.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder for `leadlog up`, made if it is not there; used when "
            "LEADLOG_NATS_URL is not set.",
            show_default="var",
        ),
    ] = None,
) -> None:
    """Put a backup into an empty server: streams, positions, resumes, accounts and keys.

    The whole file is checked before anything is written, and a server that holds any of
    the streams is left as it is.
    """
    if replicas is not None and replicas not in _REPLICAS:
        broker.give_up("--replicas must be 1, 3 or 5.")
    listed = _listed(erased)
    try:
        with ArchiveReader(file) as archive:
            _check(archive)
            made = archive.manifest
            if check:
                _say(f"{file} is whole: {_described(made)}.")
                return
            if made.expires_at and made.expires_at < datetime.now(UTC) and not expired:
                broker.give_up(
                    f"{file} expired on {made.expires_at:%Y-%m-%d}: it holds people who may have "
                    "been erased since. Delete it, or restore it with --expired."
                )
            done, gone = broker.run(_restore(archive, replicas, data, listed))
    except BadBackup as error:
        broker.give_up(f"{file} cannot be used: {error}.")
    except OSError as error:
        broker.give_up(f"Cannot read {file}: {error.strerror or error}")
    _say(f"{done.streams} streams with {done.messages} messages are restored, as of {_time(made)}.")
    if done.letters:
        _say(f"{done.letters} dead letters of leads that came after that were left out.")
    if gone:
        _say(f"{len(gone)} leads that had been erased were erased again.")
    elif erased is None:
        _say("If people were erased after that, erase them again: docs/personal-data.md.")


def _listed(file: Path | None) -> list[UUID]:
    try:
        return parse_list(file.read_text()) if file else []
    except BadList as error:
        broker.give_up(f"{file} {error}.")
    except OSError as error:
        broker.give_up(f"Cannot read {file}: {error.strerror or error}")


def _described(made: Manifest) -> str:
    messages = sum(part.messages for part in made.parts)
    return (
        f"{len(made.parts)} streams, {messages} messages, {decimal(made.size)}, as of "
        f"{_time(made)}, by leadlog {made.leadlog} from nats-server {made.server}"
    )


def _time(made: Manifest) -> str:
    return f"{made.started_at:%Y-%m-%d %H:%M:%S} UTC"


def _say(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)


def _check(archive: ArchiveReader) -> None:
    with _progress("Checking", archive.manifest.size) as (bar, task):
        archive.check(lambda count: bar.advance(task, count))


async def _backup(data: Path, file: Path, *, verify: bool, lasts: timedelta) -> Manifest:
    async with broker.jetstream(data) as js:
        if absent := await missing(js):
            raise broker.Refused(
                f"This server has no {', '.join(absent)}, so a backup would not be whole. "
                "`leadlog provision` makes what is missing."
            )
        if verify:
            await _verify(js)
        total = sum([(await js.stream_info(name)).state.bytes for name in names()])
        with _progress("Backup", total) as (bar, task):
            made = await _in_words(js, file, bar, task, lasts)
            # A snapshot is compressed: it is less than the stream.
            bar.update(task, completed=total, description="Backup")
        return made


async def _verify(js: JetStreamContext) -> None:
    """Refuse to back up damage: nats-server gives damaged records away without a word."""
    columns = (TextColumn("Verifying"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console()) as bar:
        task = bar.add_task("verify", total=None)
        report = await examine(
            js, lambda position, last: bar.update(task, completed=position, total=last)
        )
    found = [f"position {one.position}: {one.text}" for one in report.findings[:_SHOWN]]
    if not report.last and (await js.stream_info("OBJ_RESUMES")).state.messages:
        found.append("the log is empty, yet there are resumes")
    if found:
        raise broker.Refused(
            f"No backup was made, since what would go into it is damaged: {'; '.join(found)}. "
            "Keep your older backups. `leadlog verify` names everything; --no-verify makes the "
            "backup all the same."
        )


async def _in_words(
    js: JetStreamContext, file: Path, bar: Progress, task: TaskID, lasts: timedelta
) -> Manifest:
    def on_progress(stream: str, count: int) -> None:
        bar.update(task, advance=count, description=stream)

    try:
        return await back_up(js, file, on_progress, lasts=lasts)
    except SnapshotFailed as error:
        raise broker.Refused(
            f"The backup was given up and no file was made: {error}. Try again; `leadlog verify` "
            "finds damage."
        ) from None
    except NeverStill as error:
        raise broker.Refused(f"{error} is changed all the time. Try again later.") from None
    except BlockingIOError:
        raise broker.Refused(f"Another backup is being written to {file}.") from None
    except TimeoutError:
        raise
    except OSError as error:
        raise broker.Refused(f"Cannot write {file}: {error.strerror or error}") from None


async def _restore(
    archive: ArchiveReader, replicas: int | None, data: Path | None, erased: list[UUID]
) -> tuple[Restored, list[UUID]]:
    if data is not None and not broker.named_in_environment():
        DataFolder(data).prepare()
    async with broker.jetstream(data or Path("var")) as js:
        with _progress("Restore", archive.manifest.size) as (bar, task):

            def on_progress(stream: str, count: int) -> None:
                bar.update(task, advance=count, description=stream)

            restoring = Restore(js, archive, replicas=replicas, on_progress=on_progress)
            done = await or_cleaned_up(restoring)
            bar.update(task, description="Restore")
        return done, await erase_again(js, erased, replicas)


async def or_cleaned_up(restoring: Restore) -> Restored:
    """Restore; whatever stops it leaves nothing behind and is told in words.

    Raises:
        broker.Refused: it was not done.
    """
    try:
        return await restoring.run()
    except NotEmpty as error:
        raise broker.Refused(
            f"This server holds {error} already, and nothing was changed. Restore into a server "
            "with an empty store folder (for `leadlog up`: name a new folder with --data)."
        ) from None
    except asyncio.CancelledError:  # Ctrl-C
        await restoring.clean_up()
        raise
    except _FAULTS as error:
        reason = (error.description if isinstance(error, APIError) else "") or str(error)
        hint = " Try --replicas 1." if "replicas" in reason else ""
        left = await restoring.clean_up()
        what = (
            f"These streams are left and have to be deleted before you try again: {', '.join(left)}"
            if left
            else "What had been restored was taken away again"
        )
        raise broker.Refused(f"The restore failed: {reason}.{hint} {what}.") from None


@contextmanager
def _progress(words: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console()
    ) as progress:
        yield progress, progress.add_task(words, total=total)
