"""What the operator changes about accounts is on record first."""

from dataclasses import replace

from nats.js import JetStreamContext

from libs.audit.entry import RecordedEntry, decode
from libs.chassis.buckets import Bucket
from libs.events.topology import AUDIT
from services.leads.auth import accounts
from tests.support.cli import leadlog
from tests.support.nats import NatsServer

EMAIL = "lena@firm.example"


def reach(server: NatsServer) -> dict[str, str]:
    return {
        "LEADLOG_NATS_URL": server.url,
        "LEADLOG_NATS_NKEY_SEED": server.seeds["operator"],
    }


async def entries(js: JetStreamContext) -> list[RecordedEntry]:
    last = (await js.stream_info(AUDIT)).state.last_seq
    return [decode((await js.get_msg(AUDIT, seq)).data or b"", seq) for seq in range(1, last + 1)]


async def test_each_change_is_on_record_with_its_account(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server = reach(nats_server)
    for command in (("create", EMAIL), ("role", EMAIL, "viewer"), ("deactivate", EMAIL)):
        code, said = await leadlog("account", *command, **server)
        assert code == 0, said
    stored = await accounts.find(Bucket(js, accounts.ACCOUNTS), accounts.account_key(EMAIL))
    assert stored is not None
    found = await entries(js)
    assert [one.action for one in found] == [
        "account.created",
        "account.role-changed",
        "account.deactivated",
    ]
    assert {one.target for one in found} == {f"account:{stored.account.id}"}
    assert {one.actor for one in found} == {"operator"}


async def test_what_cannot_be_put_on_record_is_not_done(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server = reach(nats_server)
    assert (await leadlog("account", "create", EMAIL, **server))[0] == 0
    info = await js.stream_info(AUDIT)
    await js.update_stream(replace(info.config, max_msgs=info.state.messages))  # it is full

    code, said = await leadlog("account", "deactivate", EMAIL, **server)

    assert code != 0, said
    stored = await accounts.find(Bucket(js, accounts.ACCOUNTS), accounts.account_key(EMAIL))
    assert stored is not None
    assert stored.account.active


async def test_nothing_is_on_record_of_an_account_that_there_is_not(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    code, _ = await leadlog("account", "deactivate", "nobody@firm.example", **reach(nats_server))
    assert code == 1
    assert await entries(js) == []
