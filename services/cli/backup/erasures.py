"""A restored backup must not bring anybody back who was erased after it was made.

The list of who was erased (lead ids, nothing personal) is kept in the bucket ERASURES, and by the
operator in a file beside the backups: the bucket may be lost together with the server.
"""

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from nats.js import JetStreamContext

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.events.topology import missing, provision
from services.cli import broker
from services.cli.accounts import Data
from services.leads.people.erase import Eraser
from services.leads.people.records import Erasures, Reason


class BadList(Exception):
    """The file is no list of lead ids; the text says where."""


def erasures(
    file: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    data: Data = Path("var"),
) -> None:
    """Write the ids of all erased leads to a file, for `leadlog restore --erased`.

    Keep it where the backups are, and write it anew as often as you can: it holds nothing personal.
    What the file names already stays in it.
    """
    try:
        kept = parse_list(file.read_text()) if file.exists() else []
        found = broker.run(_all(data))
        lines = [str(one) for one in dict.fromkeys([*kept, *found])]
        part = file.with_name(f"{file.name}.part")
        with part.open("w") as target:
            target.write("".join(f"{line}\n" for line in lines))
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)
    except BadList as error:
        broker.give_up(f"{file} {error}. Name another file.")
    except OSError as error:
        broker.give_up(f"Cannot write {file}: {error.strerror or error}")
    typer.echo(f"{file}: {len(lines)} erased leads.")


def parse_list(text: str) -> list[UUID]:
    """The ids in a list, one a line (pure).

    Raises:
        BadList: a line is no id.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(UUID(line.strip()))
        except ValueError:
            raise BadList(f"is no list of `leadlog erasures`: line {number} is no id") from None
    return found


async def _all(data: Path) -> list[UUID]:
    async with broker.jetstream(data) as js:
        return [record.lead_id for record in await Erasures(js).all()]


async def erase_again(
    js: JetStreamContext, listed: Iterable[UUID], replicas: int | None
) -> list[UUID]:
    """Erase in a restored log whoever was erased, by the backup's own records and by a list.

    The log is taken first in a backup: an erasure during it is in the records only.

    Raises:
        StoreUnavailable: JetStream does not answer; run it again.
    """
    if await missing(js):  # an older version's backup has no place for the records
        await provision(js, replicas or 1)
    known = [record.lead_id for record in await Erasures(js).all()]
    eraser = Eraser(js, partial(_note, js), actor=OPERATOR)
    return await eraser.erase([*listed, *known], "restore")


async def _note(js: JetStreamContext, lead_id: UUID, reason: Reason) -> None:
    entry = AuditEntry(
        action="person.erased",
        actor=OPERATOR,
        target=f"lead:{lead_id}",
        details={"reason": reason},
    )
    await AuditLog(js).record(entry)
