"""``leadlog export`` and ``leadlog erase``: what is kept about one person."""

import os
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from nats.js import JetStreamContext

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.events import STREAM
from services.cli import broker
from services.cli.accounts import Data
from services.cli.console import console
from services.leads.people.erase import Eraser
from services.leads.people.export import export as pieces_of
from services.leads.people.find import in_log
from services.leads.people.records import SETTLES_AFTER, Reason

_ACTOR: Final = "operator"
Email = Annotated[str, typer.Argument(help="The person's email address; case does not matter.")]


def export(
    email: Email,
    file: Annotated[Path, typer.Argument(help="The zip file to make.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    data: Data = Path("var"),
) -> None:
    """Write everything that is kept about a person to a zip file."""
    if file.exists() and not force:
        broker.give_up(f"{file} exists. Name another file, or replace it with --force.")
    leads = broker.run(_export(data, email, file))
    _say(f"{file}: {_counted(leads)}, {file.stat().st_size} bytes. It holds personal data.")


def erase(
    email: Annotated[str, typer.Argument(help="The person's email address.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only finish what was cut short.")
    ] = False,
    data: Data = Path("var"),
) -> None:
    """Erase a person for good: events, files, mail ledger, dead letters; it cannot be undone.

    Mails in mailboxes and older backups are not reached: see docs/personal-data.md.
    """
    if bool(email) == unfinished:
        broker.give_up("Name an email address, or use --unfinished.")
    broker.run(_erase(data, email, yes=yes))


async def _export(data: Path, email: str, file: Path) -> list[UUID]:
    async with broker.jetstream(data) as js:
        leads = await in_log(js, email)
        if not leads:
            raise broker.Refused("Nothing is kept about this address.")
        for lead_id in leads:
            await _note(js, "person.exported", lead_id)
        await _write(js, leads, file)
        return leads


async def _write(js: JetStreamContext, leads: list[UUID], file: Path) -> None:
    """Write to a file beside it first: a file of that name is always whole."""
    part = file.with_name(f"{file.name}.part")
    try:
        # It holds personal data: for its owner alone, also if somebody had left a file there.
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            async with aclosing(pieces_of(js, leads, now=datetime.now(UTC))) as pieces:
                async for piece in pieces:
                    target.write(piece)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


async def _erase(data: Path, email: str, *, yes: bool) -> None:
    async with broker.jetstream(data) as js:
        eraser = Eraser(js, partial(_note_erased, js), actor=_ACTOR)
        if finished := await eraser.resume():
            _say(f"Looked once more at {_counted(finished)} erased before.")
        if not email:
            return
        leads = await in_log(js, email)
        if not leads:
            _say("Nothing is kept about this address.")
            return
        _say(f"Kept about this address: {_counted(leads)}.")
        if not yes and not typer.confirm("Erase it for good?"):
            raise broker.Refused("Nothing was erased.")
        erased = await eraser.erase(leads, "request")
        for lead_id in erased:
            _say(f"erased  {lead_id}")
        _say(await _what_remains(js))


async def _what_remains(js: JetStreamContext) -> str:
    minutes = int(SETTLES_AFTER.total_seconds() // 60)
    text = (
        "The read models follow within seconds. Mails in mailboxes and backups made before now "
        f"still hold it. In {minutes} minutes the leads service takes a last look for mails that "
        "were just being sent."
    )
    if (await js.stream_info(STREAM)).config.num_replicas not in {None, 1}:
        text += (
            " In a cluster, the servers' replication logs keep a copy for about three minutes: "
            "docs/personal-data.md says what shortens that."
        )
    return text


async def _note_erased(js: JetStreamContext, lead_id: UUID, reason: Reason) -> None:
    await _note(js, "person.erased", lead_id, reason=reason)


async def _note(js: JetStreamContext, action: str, lead_id: UUID, **details: str) -> None:
    entry = AuditEntry(
        action=action, actor=OPERATOR, target=f"lead:{lead_id}", details=dict(details)
    )
    await AuditLog(js).record(entry)


def _counted(leads: list[UUID]) -> str:
    return "1 lead" if len(leads) == 1 else f"{len(leads)} leads"


def _say(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)
