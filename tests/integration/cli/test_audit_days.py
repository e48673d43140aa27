"""``leadlog provision --audit-days``: what the operator decides lasts, and is on record."""

import json
from dataclasses import replace

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy

from libs.audit import AuditEntry, AuditLog
from libs.events.topology import AUDIT
from services.cli.verify_audit import examine_audit
from tests.support.cli import leadlog
from tests.support.nats import NatsServer


async def test_a_decision_lasts_and_is_on_record(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server = {
        "LEADLOG_NATS_URL": nats_server.url,
        "LEADLOG_NATS_NKEY_SEED": nats_server.seeds["operator"],
    }
    code, said = await leadlog("provision", "--audit-days", "730", **server)
    assert code == 1
    assert "leadlog-audit-days" in said
    for _ in range(2):
        code, _ = await leadlog("provision", "--audit-days", "730", "--apply", **server)
        assert code == 0
    code, said = await leadlog("provision", "--apply", **server)
    assert (code, said) == (0, "Everything is there and as it should be.\n")

    info = await js.stream_info(AUDIT)
    assert (info.config.max_age, info.state.messages) == (730 * 86400.0, 1)
    entry = json.loads((await js.get_msg(AUDIT, seq=1)).data or b"")
    assert (entry["action"], entry["actor"]) == ("settings.changed", "operator")
    assert entry["details"] == {"days": 730, "before": 0}


async def test_verify_takes_a_beginning_that_went_by_a_decision_since_revoked(
    js: JetStreamContext,
) -> None:
    # As after `--audit-days 1`, a day, and `--audit-days 0`: the first entries are gone.
    config = (await js.stream_info(AUDIT)).config
    log = AuditLog(js)
    for number in range(4):
        await log.record(AuditEntry(action="lead.read", actor="operator", target=f"lead:{number}"))
    await js.update_stream(replace(config, max_msgs=2, discard=DiscardPolicy.OLD))

    assert [finding.position for finding in (await examine_audit(js)).findings] == [1, 3]
    await js.update_stream(replace(config, metadata={"leadlog-audit-days": "0"}))
    report = await examine_audit(js)
    assert (report.first, report.last, report.findings) == (3, 4, [])
