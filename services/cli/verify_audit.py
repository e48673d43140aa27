"""The audit trail's part of ``leadlog verify``."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from libs.audit.verify import AuditCheck, AuditFinding
from libs.chassis.jetstream import StoredMessage, get_batch
from libs.events.topology import AUDIT, decided_audit_days

_PAGE: Final = 500


@dataclass(slots=True)
class AuditReport:
    """What the verification of the audit trail found.

    Attributes:
        first: the oldest position that is still there.
    """

    entries: int = 0
    first: int = 0
    last: int = 0
    digest: str = ""
    findings: list[AuditFinding] = field(default_factory=list)


async def examine_audit(js: JetStreamContext) -> AuditReport:
    """Read every entry up to the position that the trail has now.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    try:
        info = await js.stream_info(AUDIT)
    except NotFoundError:
        gone = AuditFinding(0, f"is missing: there is no stream {AUDIT}; `leadlog provision`")
        return AuditReport(findings=[gone])
    last = info.state.last_seq
    # Whoever decided to keep them for ever again does not get the old ones back.
    expires = bool(info.config.max_age) or decided_audit_days(info.config) is not None
    check = AuditCheck(expires=expires)
    report = AuditReport(last=last)
    async for message in _messages(js, last):
        found = check.take(message.sequence, message.subject, message.headers, message.data)
        report.findings += found
    report.findings += check.end(last)
    report.entries, report.first, report.digest = check.entries, check.first, check.digest
    return report


async def _messages(js: JetStreamContext, last: int) -> AsyncIterator[StoredMessage]:
    first = 1
    while first <= last:
        page = await get_batch(js._nc, AUDIT, ">", first=first, batch=_PAGE, pages=1)  # noqa: SLF001 - nats-py has no public way from a context to its client
        if not page:
            return
        for message in page:
            if message.sequence <= last:
                yield message
        first = page[-1].sequence + 1
