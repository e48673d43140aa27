"""``leadlog verify`` names what is wrong with the audit trail."""

from dataclasses import replace

from nats.js import JetStreamContext

from libs.audit import AuditEntry, AuditLog
from libs.events.chain import PREVIOUS
from libs.events.topology import AUDIT
from services.cli.verify_audit import examine_audit


async def write(js: JetStreamContext, count: int) -> None:
    log = AuditLog(js)
    for number in range(count):
        await log.record(AuditEntry(action="lead.read", actor="account:a", target=f"lead:{number}"))


async def test_a_trail_that_nobody_touched_is_whole(js: JetStreamContext) -> None:
    await write(js, 5)

    report = await examine_audit(js)

    assert (report.entries, report.last, report.findings) == (5, 5, [])


async def test_a_forged_and_a_missing_entry_are_named(js: JetStreamContext) -> None:
    # Somebody with the run of the server: the stream itself lets nobody delete.
    config = (await js.stream_info(AUDIT)).config
    await js.delete_stream(AUDIT)
    await js.add_stream(replace(config, deny_delete=False, deny_purge=False))
    await write(js, 3)
    last = await js.get_msg(AUDIT, seq=3)
    await js.delete_msg(AUDIT, 2)
    await js.publish(last.subject or "", last.data or b"", headers={PREVIOUS: "0" * 64})

    report = await examine_audit(js)

    assert [finding.position for finding in report.findings] == [2, 3, 4]


async def test_a_trail_that_is_gone_is_a_finding(js: JetStreamContext) -> None:
    await js.delete_stream(AUDIT)

    [finding] = (await examine_audit(js)).findings
    assert "no stream AUDIT" in finding.text
