"""An answer goes where the request says; it must not get into a stream that way.

nats-server asks nobody whether a user may publish to the reply subject that it names.
"""

import json
from uuid import uuid4

import pytest

from services.cli.nats_keys import SERVICES
from services.cli.nats_server import NatsServer
from tests.integration.permissions.users import User, user

LEAD = str(uuid4())
TARGETS = (
    "$KV.SETTINGS.auth.policy",
    "$KV.ACCOUNTS.account.x",
    "$KV.SIGNING_KEYS.key.x",
    "$KV.IDEMPOTENCY.x",
    "$KV.MAIL_LEDGER.x",
    "$O.RESUMES.C.x",
    "audit.lead.read.anonymous.-",
    "outbox.x",
    "dead.notifier.1",
    f"leads.{LEAD}.submission",
    f"leads.{LEAD}.handling",
    f"leads.{LEAD}.mail",
    f"leads.{LEAD}.resume",
)
WRITES = {
    "intake": "leads.{}.submission",
    "leads": "leads.{}.handling",
    "notifier": "leads.{}.mail",
}
READS = {
    "intake": ["$JS.API.STREAM.INFO.LEADS", "$JS.API.STREAM.MSG.GET.KV_IDEMPOTENCY"],
    "leads": ["$JS.API.STREAM.INFO.LEADS", "$JS.API.DIRECT.GET.LEADS"],
    "notifier": [
        "$JS.API.STREAM.INFO.LEADS",
        "$JS.API.DIRECT.GET.LEADS",
        "$JS.API.STREAM.MSG.GET.LEADS",
        "$JS.API.CONSUMER.MSG.NEXT.LEADS.notifier",
    ],
}


async def stored(operator: User) -> dict[str, int]:
    """How many messages have ever been written to each stream."""
    names = await operator.ask("$JS.API.STREAM.INFO.LEADS")
    assert names["state"]["messages"] >= 0
    js = operator.client.jetstream()
    streams = ("LEADS", "AUDIT", "OUTBOX", "DEAD_LETTERS", "OBJ_RESUMES", "KV_SETTINGS")
    buckets = ("KV_ACCOUNTS", "KV_SIGNING_KEYS", "KV_IDEMPOTENCY", "KV_MAIL_LEDGER")
    return {name: (await js.stream_info(name)).state.last_seq for name in (*streams, *buckets)}


@pytest.mark.parametrize("name", SERVICES)
async def test_no_answer_gets_into_a_stream(server: NatsServer, name: str) -> None:
    async with user(server, "operator") as operator, user(server, name) as one:
        js = one.client.jetstream()
        forged = json.dumps({"role": "admin"}).encode()
        position = (await js.publish(WRITES[name].format(uuid4()), forged)).seq
        before = await stored(operator)

        for target in TARGETS:
            for request in READS[name]:
                asked = json.dumps({"seq": position}).encode() if "GET" in request else b""
                assert await one.may_publish(request, asked, reply=target)
        # Its own write is taken; what it is told about it goes nowhere.
        assert await one.may_publish(WRITES[name].format(uuid4()), forged, reply=TARGETS[0])
        await one.ask("$JS.API.STREAM.INFO.LEADS")  # answers come in order

        assert await stored(operator) == {**before, "LEADS": before["LEADS"] + 1}


async def test_an_answer_of_home_would(server: NatsServer) -> None:
    """The test above tests something: where the streams are, an answer is stored."""
    async with user(server, "operator") as operator:
        before = await stored(operator)
        await operator.may_publish("$JS.API.STREAM.INFO.LEADS", reply="outbox.x")
        await operator.ask("$JS.API.STREAM.INFO.LEADS")
        assert (await stored(operator))["OUTBOX"] == before["OUTBOX"] + 1
