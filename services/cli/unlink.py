"""``leadlog account unlink``: an account is nobody's at the identity provider again."""

from pathlib import Path
from typing import Annotated

import typer
from nats.js import JetStreamContext

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.chassis.buckets import Bucket
from libs.outbox import Outbox
from services.cli import broker
from services.cli.console import console
from services.leads.auth import accounts
from services.leads.auth.accounts import ACCOUNTS, Account
from services.leads.auth.notice import security_notice
from services.leads.auth.oidc import linking


def unlink(
    email: Annotated[
        str | None, typer.Argument(help="The account's email address.", show_default=False)
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="All accounts: the firm has changed its provider.")
    ] = False,
    data: Annotated[
        Path,
        typer.Option(help="Data folder of `leadlog up`, used when LEADLOG_NATS_URL is not set."),
    ] = Path("var"),
) -> None:
    """Take the person at the identity provider off an account, and end its sessions.

    The next person there who has its address gets it. They are told by mail.
    """
    if (email is None) is not everybody:
        raise typer.BadParameter("name one account, or say --all")
    unlinked = broker.run(_unlink(data, email))
    if unlinked:
        console().print(f"Unlinked: {unlinked}. The owners are told by mail.")
    else:
        console().print("There was nothing to unlink.")


async def _unlink(data: Path, email: str | None) -> int:
    async with broker.jetstream(data) as js:
        bucket = Bucket(js, ACCOUNTS)
        linked = [
            one for one in await _accounts(bucket, email) if await linking.is_linked(bucket, one)
        ]
        for account in linked:
            await _note(js, account)
            await linking.unlink(bucket, account.id)
            await Outbox(js).put(security_notice(account, "identity-unlinked"))
        return len(linked)


async def _accounts(bucket: Bucket, email: str | None) -> list[Account]:
    if email is None:
        return await accounts.list_accounts(bucket)
    stored = await accounts.find(bucket, accounts.account_key(email))
    if stored is None:
        raise broker.Refused("there is no account with this address")
    return [stored.account]


async def _note(js: JetStreamContext, account: Account) -> None:
    target = f"account:{account.id}"
    await AuditLog(js).record(AuditEntry(action="account.unlinked", actor=OPERATOR, target=target))
