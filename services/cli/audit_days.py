"""For how long audit entries are kept: a decision that is itself on record."""

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.events.topology import AUDIT, decided_audit_days


async def note_decision(js: JetStreamContext, days: int) -> None:
    """Note, before anything goes, that the operator decides anew; not for a trail yet to begin.

    Args:
        js: the operator's connection.
        days: 0: for ever.

    Raises:
        StoreUnavailable: it cannot be written.
    """
    try:
        config = (await js.stream_info(AUDIT)).config
    except NotFoundError:
        return
    before = decided_audit_days(config)
    if before == days:
        return
    entry = AuditEntry(
        action="settings.changed",
        actor=OPERATOR,
        target="settings:audit-days",
        details={"days": days, "before": before or 0},
    )
    await AuditLog(js).record(entry)
