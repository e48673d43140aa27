"""``leadlog account``: who may log in to the attorneys' API."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from nats.js import JetStreamContext
from rich.table import Table

from libs.audit import OPERATOR, AuditEntry, AuditLog, Outcome
from libs.chassis.buckets import Bucket
from services.cli import broker
from services.cli.console import console
from services.cli.mfa import reset_mfa
from services.cli.unlink import unlink
from services.leads.auth import accounts
from services.leads.auth.password_rules import WeakPassword
from services.leads.auth.permissions import Role

app = typer.Typer(help="Who may log in to the attorneys' API.", no_args_is_help=True)
T = TypeVar("T")
_CREATED: Final = "account.created"

Data = Annotated[
    Path, typer.Option(help="Data folder of `leadlog up`, used when LEADLOG_NATS_URL is not set.")
]
Email = Annotated[str, typer.Argument(help="The account's email address.")]


@app.command()
def create(
    email: Email,
    name: Annotated[str, typer.Option(help="As others see it in a lead's history.")] = "",
    role: Annotated[
        Role | None,
        typer.Option(help="What it is there for.", show_default="attorney; the first one: admin"),
    ] = None,
    data: Data = Path("var"),
) -> None:
    """Make an account and print its password, once."""
    made, password = _changing(
        data, email, _CREATED, lambda bucket: _create(bucket, email, name or email, role)
    )
    console().print(f"Account {made.email} is ready; its role is {made.role}.", markup=False)
    _show(password)


@app.command("list")
def list_all(data: Data = Path("var")) -> None:
    """Show all accounts."""
    found = _run(data, accounts.list_accounts)
    if not found:
        console().print("There is no account yet. Make one with `leadlog account create EMAIL`.")
        return
    table = Table("email", "name", "role", "active", "since")
    for one in found:
        active = "yes" if one.active else "no"
        table.add_row(one.email, one.name, _role(one), active, f"{one.created_at:%Y-%m-%d}")
    console().print(table)


@app.command("set-password")
def set_password(
    email: Email,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for it instead of making one.")] = False,
    data: Data = Path("var"),
) -> None:
    """Give an account a new password and end its sessions."""
    chosen: str | None = None
    if ask:
        chosen = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    password = _changing(
        data,
        email,
        "account.password-changed",
        lambda bucket: accounts.set_password(bucket, email, chosen),
    )
    console().print("The password is changed; sessions of this account have ended.")
    _show(password)


@app.command()
def deactivate(email: Email, data: Data = Path("var")) -> None:
    """Refuse an account from now on; its place in the history stays."""
    _changing(data, email, "account.deactivated", lambda bucket: accounts.deactivate(bucket, email))
    console().print("The account can no longer log in; what is logged in ends within seconds.")


@app.command()
def activate(email: Email, data: Data = Path("var")) -> None:
    """Let a deactivated account in again."""
    _changing(data, email, "account.activated", lambda bucket: accounts.activate(bucket, email))
    console().print("The account can log in again.")


@app.command("role")
def set_role(
    email: Email,
    role: Annotated[Role, typer.Argument(help="What the account is there for.")],
    assigned_only: Annotated[
        bool | None,
        typer.Option(
            "--assigned-only/--all-leads", help="Show it only leads that are assigned to it."
        ),
    ] = None,
    data: Data = Path("var"),
) -> None:
    """Change what an account may do; it takes effect within seconds."""
    changed = _changing(
        data,
        email,
        "account.role-changed",
        lambda bucket: accounts.set_role(bucket, email, role, assigned_only=assigned_only),
    )
    console().print(f"The account's role is {_role(changed)}.", markup=False)


app.command("reset-mfa")(reset_mfa)
app.command("unlink")(unlink)


async def _create(
    bucket: Bucket, email: str, name: str, role: Role | None
) -> tuple[accounts.Account, str | None]:
    if role is None:  # somebody has to be able to invite the others
        role = Role.ATTORNEY if await accounts.list_accounts(bucket) else Role.ADMIN
    return await accounts.create_account(bucket, email, name, role=role)


def _role(account: accounts.Account) -> str:
    return f"{account.role}, assigned leads only" if account.assigned_only else account.role


def _show(password: str | None) -> None:
    if password is not None:
        console().print(f"Password (shown only now): {password}", markup=False, highlight=False)


def _changing(data: Path, email: str, action: str, work: Callable[[Bucket], Awaitable[T]]) -> T:
    """Put on record that the operator does it, and do it."""
    return broker.run(_on_bucket(data, work, email, action))


def _run(data: Path, work: Callable[[Bucket], Awaitable[T]]) -> T:
    return broker.run(_on_bucket(data, work))


async def _on_bucket(
    data: Path, work: Callable[[Bucket], Awaitable[T]], email: str = "", action: str = ""
) -> T:
    async with broker.jetstream(data) as js:
        bucket = Bucket(js, accounts.ACCOUNTS)
        known = action not in {"", _CREATED} and await _note(js, bucket, email, action)
        try:
            done = await work(bucket)
        except (
            accounts.AccountExists,
            accounts.AccountUnknown,
            accounts.BadAccount,
            WeakPassword,
        ) as error:
            if known:
                await _note(js, bucket, email, action, outcome="failed")
            raise broker.Refused(str(error)) from None
        if action == _CREATED:  # only now there is an id to note
            await _note(js, bucket, email, action)
        return done


async def _note(
    js: JetStreamContext, bucket: Bucket, email: str, action: str, outcome: Outcome = "ok"
) -> bool:
    """Put it on record, if there is such an account; whether there is."""
    stored = await accounts.find(bucket, accounts.account_key(email))
    if stored is None:
        return False
    target = f"account:{stored.account.id}"
    entry = AuditEntry(action=action, actor=OPERATOR, target=target, outcome=outcome)
    await AuditLog(js).record(entry)
    return True
