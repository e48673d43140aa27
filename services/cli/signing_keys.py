"""``leadlog signing-keys``: the keys that sign access tokens."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from nats.js import JetStreamContext
from rich.table import Column, Table

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.chassis.buckets import Bucket
from services.cli import broker
from services.cli.console import console
from services.leads.auth import signing_key_rotation as rotation
from services.leads.auth.signing_key_rotation import SPREAD_SECONDS, KeyInfo
from services.leads.auth.signing_keys import SIGNING_KEYS

app = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)

Data = Annotated[
    Path, typer.Option(help="Data folder of `leadlog up`, used when LEADLOG_NATS_URL is not set.")
]


@app.command()
def rotate(data: Data = Path("var")) -> None:
    """Let a new key sign; nobody is logged out, and the old key goes on verifying."""
    console().print(f"A new key is handed out; it signs in {SPREAD_SECONDS:.0f} s.")
    kid = broker.run(_rotate(data))
    console().print(f"Key {kid} signs now. In an hour, run `leadlog signing-keys retire`.")


@app.command("list")
def list_all(data: Data = Path("var")) -> None:
    """Show all keys, without what is secret of them."""
    found = broker.run(_list(data))
    if not found:
        console().print("There is no signing key yet: the leads service makes it when needed.")
        return
    table = Table(Column("key", no_wrap=True), "since", "replaced", "state")
    for key in found:
        replaced = "" if key.replaced_at is None else f"{key.replaced_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(key.kid, f"{key.created_at:%Y-%m-%d %H:%M} UTC", replaced, key.state.value)
    console().print(table)


@app.command()
def retire(
    kid: Annotated[str | None, typer.Argument(help="Only this key.")] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Also if its tokens may still be good: it leaked.")
    ] = False,
    data: Data = Path("var"),
) -> None:
    """Erase old keys for good, once everything they signed has expired."""
    if at_once and kid is None:
        broker.give_up("name the key that --at-once is about; `leadlog signing-keys list` shows it")
    gone = broker.run(_retire(data, kid, at_once=at_once))
    for one in gone:
        console().print(f"Key {one} is erased.")
    if not gone:
        console().print("There is nothing to retire yet.")


async def _rotate(data: Path) -> str:
    async with broker.jetstream(data) as js:
        try:
            kid = await rotation.rotate(_bucket(js), _now, asyncio.sleep)
        except rotation.RotationElsewhere as error:
            raise broker.Refused(str(error)) from None
        await _note(js, "signing-key.rotated", kid)
        return kid


async def _list(data: Path) -> list[KeyInfo]:
    async with broker.jetstream(data) as js:
        return await rotation.list_keys(_bucket(js), _now())


async def _retire(data: Path, kid: str | None, *, at_once: bool) -> list[str]:
    async with broker.jetstream(data) as js:
        try:
            gone = await rotation.retire(_bucket(js), _now(), kid, at_once=at_once)
        except (rotation.KeyUnknown, rotation.StillNeeded) as error:
            raise broker.Refused(str(error)) from None
        for one in gone:
            await _note(js, "signing-key.retired", one)
        return gone


async def _note(js: JetStreamContext, action: str, kid: str) -> None:
    entry = AuditEntry(action=action, actor=OPERATOR, target=f"signing-key:{kid}")
    await AuditLog(js).record(entry)


def _bucket(js: JetStreamContext) -> Bucket:
    return Bucket(js, SIGNING_KEYS)


def _now() -> datetime:
    return datetime.now(UTC)
