"""The audit trail: who signed in, who read what, who changed what (docs/audit.md)."""

from libs.audit.entry import ANONYMOUS, OPERATOR, AuditEntry, Outcome, RecordedEntry, Reference
from libs.audit.log import AuditLog

__all__ = [
    "ANONYMOUS",
    "OPERATOR",
    "AuditEntry",
    "AuditLog",
    "Outcome",
    "RecordedEntry",
    "Reference",
]
