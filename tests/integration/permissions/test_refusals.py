"""What the server refuses to each user."""

import json
from uuid import uuid4

import nats.errors
import pytest
from nats.js.api import StreamConfig

from libs.events.topology import declared
from services.cli.nats_keys import SERVICES
from services.cli.nats_server import NatsServer
from tests.integration.permissions.users import user

STREAMS = [str(stream.name) for stream in declared()]
LEAD = str(uuid4())
NAME = "01980000-0000-7000-8000-000000000000.x"

READS = ("$JS.API.STREAM.MSG.GET.{}", "$JS.API.DIRECT.GET.{}", "$JS.API.DIRECT.GET.{}.leads.x.y")
CONSUMERS = (
    "$JS.API.CONSUMER.CREATE.{}",
    "$JS.API.CONSUMER.CREATE.{}.new",
    "$JS.API.CONSUMER.CREATE.{}.new.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.{}.new",
    "$JS.API.CONSUMER.MSG.NEXT.{}.new",
    "$JS.API.CONSUMER.DELETE.{}.new",
)
ADMINISTRATION = (
    "$JS.API.STREAM.CREATE.{}",
    "$JS.API.STREAM.UPDATE.{}",
    "$JS.API.STREAM.DELETE.{}",
    "$JS.API.STREAM.PURGE.{}",
    "$JS.API.STREAM.SNAPSHOT.{}",
    "$JS.API.STREAM.RESTORE.{}",
    "$JS.API.STREAM.LEADER.STEPDOWN.{}",
    "$JS.API.STREAM.PEER.REMOVE.{}",
    "$JS.API.CONSUMER.PAUSE.{}.notifier",
    "$JS.API.CONSUMER.LEADER.STEPDOWN.{}.notifier",
)
ELSEWHERE = (
    "$SYS.REQ.SERVER.PING",
    "$JS.API.META.LEADER.STEPDOWN",
    "$JS.API.STREAM.LIST",
    "$JS.FC.x",
)


def of(patterns: tuple[str, ...], *streams: str) -> list[str]:
    return [pattern.format(stream) for pattern in patterns for stream in streams]


def buckets(*but: str) -> list[str]:
    return [one for one in STREAMS if one.startswith("KV_") and one not in but]


def erasing(*streams: str) -> list[str]:
    return [f"$JS.API.STREAM.MSG.DELETE.{stream}" for stream in streams]


LEADS_OWN = ("KV_ACCOUNTS", "KV_SESSIONS", "KV_SIGNING_KEYS", "KV_CREDENTIALS", "KV_API_KEYS")
PUBLIC_SIDE = [one for one in STREAMS if one not in {"LEADS", "OBJ_RESUMES", "KV_IDEMPOTENCY"}]
REFUSED: dict[str, list[str]] = {
    "intake": [
        f"leads.{LEAD}.handling",
        f"leads.{LEAD}.mail",
        f"leads.{LEAD}.resume",
        f"leads.{LEAD}.other",
        "leads.submission",
        "audit.lead.read.anonymous.-",
        "outbox.x",
        "dead.notifier.1",
        f"_INBOX_leads.{LEAD}",
        *(f"$KV.{name.removeprefix('KV_')}.x" for name in buckets("KV_IDEMPOTENCY")),
        *of(READS, "LEADS", "OBJ_RESUMES", "AUDIT", "OUTBOX", "DEAD_LETTERS"),
        *of(READS, *buckets("KV_IDEMPOTENCY")),
        *of(CONSUMERS, *STREAMS),
        *erasing(*STREAMS),
        *of(("$JS.API.STREAM.INFO.{}",), *PUBLIC_SIDE),
        "$JS.ACK.LEADS.notifier.1.1.1.1.1",
        "$JS.ACK.LEADS.leads-scanner.1.1.1.1.1",
    ],
    "leads": [
        f"leads.{LEAD}.submission",
        f"leads.{LEAD}.mail",
        "dead.notifier.1",
        f"$O.RESUMES.C.{NAME}",
        f"$O.RESUMES.M.{NAME}",
        f"_INBOX_intake.{LEAD}",
        *of(CONSUMERS, "AUDIT", "OUTBOX", "DEAD_LETTERS", *buckets()),
        *erasing("AUDIT", "OUTBOX"),
        "$JS.API.CONSUMER.CREATE.LEADS.notifier.leads.*.*",
        "$JS.API.CONSUMER.CREATE.LEADS.notifier.leads.*.submission",
        "$JS.API.CONSUMER.DURABLE.CREATE.LEADS.notifier",
        "$JS.API.CONSUMER.MSG.NEXT.LEADS.notifier",
        "$JS.API.CONSUMER.DELETE.LEADS.notifier",
        "$JS.API.CONSUMER.INFO.LEADS.notifier",
        "$JS.ACK.LEADS.notifier.1.1.1.1.1",
    ],
    "notifier": [
        f"leads.{LEAD}.submission",
        f"leads.{LEAD}.handling",
        f"leads.{LEAD}.resume",
        "audit.lead.read.anonymous.-",
        "outbox.x",
        "dead.projection.1",
        "dead.leads-scanner.1",
        "$JS.ACK.LEADS.leads-scanner.1.1.1.1.1",
        f"$O.RESUMES.C.{NAME}",
        f"_INBOX_leads.{LEAD}",
        *(f"$KV.{name.removeprefix('KV_')}.x" for name in buckets("KV_MAIL_LEDGER")),
        *of(READS, "OBJ_RESUMES", "AUDIT", *buckets("KV_MAIL_LEDGER")),
        *of(CONSUMERS, *STREAMS),
        *erasing("LEADS", "OBJ_RESUMES", "AUDIT", *buckets()),
        "$JS.API.CONSUMER.CREATE.LEADS.notifier",
        "$JS.API.CONSUMER.CREATE.LEADS.notifier.leads.*.*",
        "$JS.API.CONSUMER.DELETE.LEADS.notifier",
    ],
    "operator": [
        f"leads.{LEAD}.submission",
        f"leads.{LEAD}.mail",
        f"leads.{LEAD}.resume",
        *(
            f"$JS.API.CONSUMER.{request}"
            for name in ("notifier", "leads-scanner")
            for request in (
                f"DELETE.LEADS.{name}",
                f"CREATE.LEADS.{name}.leads.*.submission",
                f"MSG.NEXT.LEADS.{name}",
            )
        ),
        "$JS.ACK.LEADS.leads-scanner.1.1.1.1.1",
        *of(("$JS.API.STREAM.PURGE.{}",), *STREAMS),
        *erasing("AUDIT"),
    ],
}
INBOXES = (
    "leads.>",
    "leads.*.submission",
    "audit.>",
    "outbox.>",
    "$KV.>",
    "$O.>",
    "$JS.>",
    ">",
    "_INBOX.>",
)


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_every_subject_that_is_not_its_own_is_refused(server: NatsServer, name: str) -> None:
    administration = of(ADMINISTRATION, *STREAMS) if name in SERVICES else []
    subjects = [*REFUSED[name], *administration, *ELSEWHERE]
    async with user(server, name) as one:
        allowed = [subject for subject in subjects if await one.may_publish(subject)]
    assert allowed == []


@pytest.mark.parametrize("name", [*SERVICES, "operator"])
async def test_nobody_listens_to_anything_but_its_own_answers(
    server: NatsServer, name: str
) -> None:
    others = [f"_INBOX_{other}.>" for other in (*SERVICES, "operator") if other != name]
    async with user(server, name) as one:
        allowed = [subject for subject in (*INBOXES, *others) if await one.may_listen(subject)]
        assert allowed == []
        assert await one.may_listen(f"_INBOX_{name}.>")


async def test_intake_cannot_erase_resumes_by_a_rollup(server: NatsServer) -> None:
    async with user(server, "intake") as intake, user(server, "operator") as operator:
        js = intake.client.jetstream()
        await js.publish("$O.RESUMES.C.one", b"%PDF-")
        for scope in ("all", "sub"):
            answer = await intake.client.request(
                "$O.RESUMES.C.one", b"", headers={"Nats-Rollup": scope}, timeout=5
            )
            assert json.loads(answer.data)["error"]["description"] == "rollup not permitted"
        info = await operator.client.jetstream().stream_info("OBJ_RESUMES")
        assert info.state.messages == 1


async def test_the_leads_service_alone_says_what_is_known_of_a_resume(server: NatsServer) -> None:
    allowed = []
    for name in (*SERVICES, "operator"):
        async with user(server, name) as one:
            if await one.may_publish(f"leads.{LEAD}.resume"):
                allowed.append(name)
    assert allowed == ["leads"]


async def test_a_wildcard_in_what_intake_publishes_reads_nothing(server: NatsServer) -> None:
    async with user(server, "intake") as intake:
        for subject in ("$JS.API.DIRECT.GET.LEADS.leads.*.submission", "$JS.API.DIRECT.GET.*"):
            assert not await intake.may_publish(subject)


async def test_a_stranger_gets_nothing(server: NatsServer) -> None:
    async def quiet(_error: Exception) -> None:
        pass

    options = {"allow_reconnect": False, "connect_timeout": 2, "error_cb": quiet}
    for login in ({}, {"user": "leadlog", "password": "leadlog"}):
        with pytest.raises(nats.errors.Error, match="Authorization Violation"):
            await nats.connect(server.url, **options, **login)


async def test_even_the_operator_cannot_make_the_audit_trail_erasable(server: NatsServer) -> None:
    async with user(server, "operator") as operator:
        js = operator.client.jetstream()
        [audit] = [stream for stream in declared() if stream.name == "AUDIT"]
        answer = await operator.ask(
            "$JS.API.STREAM.UPDATE.AUDIT",
            StreamConfig(**{**audit.__dict__, "deny_delete": False}).as_dict(),
        )
        assert "error" in answer, answer
        assert (await js.stream_info("AUDIT")).config.deny_delete
