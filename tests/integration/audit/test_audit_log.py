"""The audit trail on a real nats-server: many writers, one chain."""

import asyncio

import pytest
from nats.js import JetStreamContext

from libs.audit import AuditEntry, AuditLog
from libs.audit.entry import decode
from libs.chassis.errors import StoreUnavailable
from libs.chassis.jetstream import get_batch
from libs.events.chain import GENESIS, PREVIOUS, hash_of
from libs.events.topology import AUDIT
from tests.support.nats import NatsServer


def entry(number: int = 0, actor: str = "account:a") -> AuditEntry:
    return AuditEntry(action="lead.read", actor=actor, target=f"lead:{number}")


async def assert_one_chain(js: JetStreamContext, count: int) -> None:
    messages = await get_batch(js._nc, AUDIT, ">")
    assert [message.sequence for message in messages] == list(range(1, count + 1))
    link = GENESIS
    for message in messages:
        assert message.headers[PREVIOUS] == link
        link = hash_of(message.subject, message.headers, message.data)


async def test_an_entry_is_on_the_stream_when_it_is_acknowledged(js: JetStreamContext) -> None:
    position = await AuditLog(js).record(
        AuditEntry(action="lead.read", actor="account:a", target="lead:b", address="192.0.2.77")
    )

    message = await js.get_msg(AUDIT, seq=position)
    read = decode(message.data or b"", position)
    assert (read.action, read.actor, read.target) == ("lead.read", "account:a", "lead:b")
    assert read.address == "192.0.2.0/24"


async def test_what_is_written_at_once_makes_one_chain(js: JetStreamContext) -> None:
    log = AuditLog(js)

    positions = await asyncio.gather(*(log.record(entry(n)) for n in range(300)))

    assert sorted(positions) == list(range(1, 301))
    await assert_one_chain(js, 300)


async def test_several_writers_make_one_chain_and_lose_nothing(js: JetStreamContext) -> None:
    logs = [AuditLog(js) for _ in range(4)]

    async def steadily(log: AuditLog, name: int) -> None:
        for number in range(40):
            await log.record(entry(number, f"account:{name}"))

    await asyncio.gather(*(steadily(log, name) for name, log in enumerate(logs)))

    await assert_one_chain(js, 160)


async def test_who_writes_all_the_time_leaves_others_a_turn(js: JetStreamContext) -> None:
    busy, other = AuditLog(js), AuditLog(js)

    async def go_on() -> None:
        while True:
            await busy.record(entry(1))

    writing = asyncio.create_task(go_on())
    try:
        async with asyncio.timeout(5):
            for number in range(20):
                await other.record(entry(number))
    finally:
        writing.cancel()
    assert not writing.done() or writing.cancelled()


async def test_a_lost_answer_does_not_write_twice(
    js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(js)
    await log.record(entry(1))
    real, lost = js.publish, [True]

    async def publish(*args: object, **kwargs: object) -> object:
        ack = await real(*args, **kwargs)  # type: ignore[arg-type]
        if lost.pop() if lost else False:
            raise TimeoutError
        return ack

    monkeypatch.setattr(js, "publish", publish)

    assert await log.record(entry(2)) == 2
    assert await log.record(entry(3)) == 3
    await assert_one_chain(js, 3)


async def test_without_a_server_an_entry_fails_in_time(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    log = AuditLog(js, deadline_seconds=0.5)
    await log.record(entry(1))
    await nats_server.kill()

    with pytest.raises(StoreUnavailable):
        await log.record(entry(2))
