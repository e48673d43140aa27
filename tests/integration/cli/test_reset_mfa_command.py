"""The operator takes away the second factors of somebody who has lost them."""

import json
from datetime import UTC, datetime

from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from libs.chassis.jetstream import get_batch
from services.leads.auth.accounts import create_account
from services.leads.auth.mfa.credentials import Credentials, CredentialStore, Totp
from tests.support.cli import leadlog
from tests.support.nats import NatsServer

EMAIL = "lena@firm.example"


async def test_the_operator_resets_an_account(
    nats_server: NatsServer, js: JetStreamContext
) -> None:
    account, _ = await create_account(Bucket(js, "ACCOUNTS"), EMAIL, "Lena Weber")
    store = CredentialStore(Bucket(js, "CREDENTIALS"))
    app = Totp(secret="clear:A", added_at=datetime.now(UTC), last_step=1)
    await store.change(account.id, lambda _: (Credentials(totp=app), None))
    reach = {
        "LEADLOG_NATS_URL": nats_server.url,
        "LEADLOG_NATS_USER": nats_server.user or "",
        "LEADLOG_NATS_PASSWORD": nats_server.password or "",
    }

    done = await leadlog("account", "reset-mfa", EMAIL, **reach)
    assert done == (0, "The account has no second factor any more; its owner is told by mail.\n")
    assert await store.read(account.id) == Credentials()
    mails = [json.loads(one.data) for one in await get_batch(js._nc, "OUTBOX", "outbox.>")]
    assert [(one["recipient"], one["details"]["notice"]) for one in mails] == [
        (EMAIL, "mfa-removed")
    ]
    trail = [json.loads(one.data) for one in await get_batch(js._nc, "AUDIT", "audit.>")]
    assert [(one["action"], one["actor"], one["target"]) for one in trail] == [
        ("mfa.reset", "operator", f"account:{account.id}")
    ]

    again = await leadlog("account", "reset-mfa", EMAIL, **reach)
    assert again == (0, "The account had no second factor.\n")
    code, said = await leadlog("account", "reset-mfa", "nobody@firm.example", **reach)
    assert code == 1
    assert "there is no account with this address" in said
