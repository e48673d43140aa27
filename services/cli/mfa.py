"""``leadlog account reset-mfa``: for somebody who has lost every second factor."""

from pathlib import Path
from typing import Annotated

import typer

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.chassis.buckets import Bucket
from libs.outbox import Outbox
from services.cli import broker
from services.cli.console import console
from services.leads.auth.accounts import ACCOUNTS, account_key, find
from services.leads.auth.mfa.credentials import CREDENTIALS, CredentialStore
from services.leads.auth.notice import security_notice


def reset_mfa(
    email: Annotated[str, typer.Argument(help="The account's email address.")],
    data: Annotated[
        Path,
        typer.Option(help="Data folder of `leadlog up`, used when LEADLOG_NATS_URL is not set."),
    ] = Path("var"),
) -> None:
    """Take all second factors of an account away; its password alone signs in then.

    Make sure first that it is them who ask. They are told by mail.
    """
    if broker.run(_reset(data, email)):
        console().print("The account has no second factor any more; its owner is told by mail.")
    else:
        console().print("The account had no second factor.")


async def _reset(data: Path, email: str) -> bool:
    async with broker.jetstream(data) as js:
        stored = await find(Bucket(js, ACCOUNTS), account_key(email))
        if stored is None:
            raise broker.Refused("there is no account with this address")
        account = stored.account
        entry = AuditEntry(action="mfa.reset", actor=OPERATOR, target=f"account:{account.id}")
        await AuditLog(js).record(entry)
        had = await CredentialStore(Bucket(js, CREDENTIALS)).reset(account.id)
        if had:
            await Outbox(js).put(security_notice(account, "mfa-removed"))
        return had
