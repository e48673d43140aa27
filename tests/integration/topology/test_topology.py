import hashlib
from dataclasses import replace

from nats.js import JetStreamContext

from libs.events import new_id
from libs.events.topology import AUDIT, declared, missing, provision
from libs.resumes import JetStreamResumeStore


async def test_everything_is_created_once(js: JetStreamContext) -> None:
    again = await provision(js)  # the fixture has provisioned before
    assert (again.created, again.changed, again.differences) == ((), (), ())
    assert await missing(js) == []
    names = {stream.config.name for stream in await js.streams_info()}
    assert names == {stream.name for stream in declared()}
    assert {"LEADS", "DEAD_LETTERS", "OBJ_RESUMES", "KV_ACCOUNTS", "KV_MAIL_LEDGER"} <= names


async def test_what_is_missing_is_named_and_created(js: JetStreamContext) -> None:
    await js.delete_stream("KV_SESSIONS")
    assert await missing(js) == ["KV_SESSIONS"]
    assert (await provision(js)).created == ("KV_SESSIONS",)


async def test_a_difference_is_reported_and_left_alone_until_told(js: JetStreamContext) -> None:
    info = await js.stream_info("KV_IDEMPOTENCY")
    await js.update_stream(replace(info.config, max_age=7200.0, description="the operator's"))

    reported = await provision(js)
    [difference] = reported.differences
    assert (difference.stream, difference.field) == ("KV_IDEMPOTENCY", "max_age")
    assert (difference.actual, difference.wanted) == ("7200.0", "86400.0")
    assert (await js.stream_info("KV_IDEMPOTENCY")).config.max_age == 7200.0

    applied = await provision(js, apply=True)
    assert applied.changed == ("KV_IDEMPOTENCY",)
    assert applied.differences == ()
    after = (await js.stream_info("KV_IDEMPOTENCY")).config
    assert after.max_age == 86400.0
    assert after.description == "the operator's"


async def test_how_long_audit_entries_are_kept_stays_decided(js: JetStreamContext) -> None:
    years = 2 * 365 * 86400.0
    reported = await provision(js, audit_days=730)
    assert {one.field for one in reported.differences} == {"max_age", "leadlog-audit-days"}
    assert (await js.stream_info(AUDIT)).config.max_age in {0, None}

    assert (await provision(js, audit_days=730, apply=True)).changed == (AUDIT,)
    for _ in range(2):
        again = await provision(js, apply=True)
        assert (again.changed, again.differences) == ((), ())
    config = (await js.stream_info(AUDIT)).config
    assert config.max_age == years
    assert (config.deny_delete, config.deny_purge) == (True, True)

    await js.update_stream(replace(config, max_age=86400.0))  # not by this command
    [difference] = (await provision(js)).differences
    assert (difference.field, difference.wanted) == ("max_age", str(years))
    await provision(js, apply=True)
    assert (await js.stream_info(AUDIT)).config.max_age == years

    await provision(js, audit_days=0, apply=True)
    assert (await js.stream_info(AUDIT)).config.max_age in {0, None}
    assert (await provision(js)).differences == ()


async def test_a_trail_can_begin_with_a_decision(js: JetStreamContext) -> None:
    await js.delete_stream(AUDIT)
    assert (await provision(js, audit_days=30)).created == (AUDIT,)
    assert (await provision(js)).differences == ()
    assert (await js.stream_info(AUDIT)).config.max_age == 30 * 86400.0


async def test_buckets_and_resumes_are_what_nats_own_client_takes_them_for(
    js: JetStreamContext,
) -> None:
    bucket = await js.key_value("SETTINGS")
    await bucket.put("a", b"1")
    assert (await bucket.get("a")).value == b"1"
    sha256 = hashlib.sha256(b"bytes").hexdigest()
    name = await JetStreamResumeStore(js).put(new_id(), [b"bytes"], size=5, sha256=sha256)
    objects = await js.object_store("RESUMES")
    assert (await objects.get(name)).data == b"bytes"
