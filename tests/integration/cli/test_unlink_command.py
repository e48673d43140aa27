"""The operator takes the person at the identity provider off accounts."""

import json

from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from libs.chassis.jetstream import get_batch
from services.leads.auth.accounts import account_key, create_account, find
from services.leads.auth.oidc.flow import Person
from services.leads.auth.oidc.linking import account_of
from tests.support.cli import leadlog
from tests.support.nats import NatsServer

ISSUER = "https://id.firm.example"


async def linked(bucket: Bucket, email: str) -> str:
    account, _ = await create_account(bucket, email, "Lena Weber")
    person = Person(email, email, None, frozenset(), frozenset())
    await account_of(bucket, ISSUER, person, None, may_create=False)
    return account.id


async def identity(bucket: Bucket, email: str) -> str | None:
    stored = await find(bucket, account_key(email))
    assert stored
    return stored.account.identity


async def test_the_operator_unlinks_one_account_and_all(
    nats_server: NatsServer, js: JetStreamContext
) -> None:
    bucket = Bucket(js, "ACCOUNTS")
    emails = [f"{name}@firm.example" for name in ("lena", "omar", "ada")]
    ids = [await linked(bucket, email) for email in emails]
    reach = {
        "LEADLOG_NATS_URL": nats_server.url,
        "LEADLOG_NATS_USER": nats_server.user or "",
        "LEADLOG_NATS_PASSWORD": nats_server.password or "",
    }

    one = await leadlog("account", "unlink", emails[0], **reach)
    assert one == (0, "Unlinked: 1. The owners are told by mail.\n")
    assert await identity(bucket, emails[0]) is None
    assert await identity(bucket, emails[1]) is not None
    again = await leadlog("account", "unlink", emails[0], **reach)
    assert again == (0, "There was nothing to unlink.\n")

    rest = await leadlog("account", "unlink", "--all", **reach)
    assert rest == (0, "Unlinked: 2. The owners are told by mail.\n")
    assert [await identity(bucket, email) for email in emails] == [None] * 3
    assert [key for key in await bucket.keys() if key.startswith("oidc.")] == []

    mails = [json.loads(one.data) for one in await get_batch(js._nc, "OUTBOX", "outbox.>")]
    assert [(one["recipient"], one["details"]["notice"]) for one in mails] == [
        (email, "identity-unlinked") for email in emails
    ]
    trail = [json.loads(one.data) for one in await get_batch(js._nc, "AUDIT", "audit.>")]
    assert [(one["action"], one["actor"], one["target"]) for one in trail] == [
        ("account.unlinked", "operator", f"account:{account_id}") for account_id in ids
    ]


async def test_it_wants_to_know_whose(nats_server: NatsServer) -> None:
    reach = {"LEADLOG_NATS_URL": nats_server.url}
    for arguments in ([], ["lena@firm.example", "--all"]):
        code, said = await leadlog("account", "unlink", *arguments, **reach)
        assert code == 2
        assert "name one account, or say --all" in said
