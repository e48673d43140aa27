"""``leadlog api-key``: keys with which machines use the attorneys' API."""

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
from services.leads.auth import api_keys
from services.leads.auth.api_keys import DEFAULT_DAYS, MAX_DAYS, THE_OPERATOR, ApiKey
from services.leads.auth.permissions import Permission

app = typer.Typer(help="Keys with which machines use the attorneys' API.", no_args_is_help=True)

Data = Annotated[
    Path, typer.Option(help="Data folder of `leadlog up`, used when LEADLOG_NATS_URL is not set.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    scope: Annotated[list[Permission], typer.Option(help="What it may do; repeat it for more.")],
    days: Annotated[int, typer.Option(help="How long it lives.", min=1, max=MAX_DAYS)] = (
        DEFAULT_DAYS
    ),
    data: Data = Path("var"),
) -> None:
    """Make a key and print it, once."""
    key, text = broker.run(_create(data, name, scope, days))
    console().print(f"API key {key.id} is ready; it ends on {key.expires_at:%Y-%m-%d}.")
    console().print("Key (shown only now):")
    print(text)  # as it is: a terminal's width must not break it


@app.command("list")
def list_all(data: Data = Path("var")) -> None:
    """Show all keys, those that are over as well."""
    found = broker.run(_list(data))
    if not found:
        console().print("There is no API key yet. Make one with `leadlog api-key create NAME`.")
        return
    now = datetime.now(UTC)
    table = Table(
        Column("id", no_wrap=True), Column("name", no_wrap=True), "scopes", "state", "last used"
    )
    for key, used in found:
        table.add_row(key.id, key.name, " ".join(sorted(key.scopes)), _state(key, now), _day(used))
    console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="From `leadlog api-key list`.")],
    data: Data = Path("var"),
) -> None:
    """End a key for good."""
    broker.run(_revoke(data, key_id))
    console().print("The key is revoked: it stops working within seconds.")


async def _create(data: Path, name: str, scopes: list[Permission], days: int) -> tuple[ApiKey, str]:
    async with broker.jetstream(data) as js:
        try:
            key, text = await api_keys.create(
                _bucket(js), name, scopes, days, THE_OPERATOR, datetime.now(UTC)
            )
        except api_keys.BadApiKey as error:
            raise broker.Refused(str(error)) from None
        await _note(js, "api-key.created", key.id, scopes=" ".join(sorted(key.scopes)))
        return key, text


async def _list(data: Path) -> list[tuple[ApiKey, datetime | None]]:
    async with broker.jetstream(data) as js:
        return await api_keys.list_keys(_bucket(js))


async def _revoke(data: Path, key_id: str) -> None:
    async with broker.jetstream(data) as js:
        try:
            await api_keys.revoke(_bucket(js), key_id, datetime.now(UTC))
        except (api_keys.ApiKeyUnknown, ValueError):
            raise broker.Refused("there is no API key with this id") from None
        await _note(js, "api-key.revoked", key_id)


async def _note(js: JetStreamContext, action: str, key_id: str, **details: str) -> None:
    target = f"api-key:{key_id}"
    entry = AuditEntry(action=action, actor=OPERATOR, target=target, details={**details})
    await AuditLog(js).record(entry)


def _bucket(js: JetStreamContext) -> Bucket:
    return Bucket(js, api_keys.API_KEYS)


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    return f"{'good until' if key.is_good(now) else 'ended'} {_day(key.expires_at)}"


def _day(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d}"
