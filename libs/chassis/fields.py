"""Types for request models that accept exactly what the OpenAPI document says of them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, StringConstraints

# Pydantic alone would also take a number of seconds and times without a zone.
# https://www.rfc-editor.org/rfc/rfc3339#section-5.6
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", flags=re.ASCII
)


def _require_rfc3339(value: Any) -> Any:
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        msg = "must be a time with a zone, such as 2026-01-31T09:30:00Z"
        raise ValueError(msg)
    return value


def _to_utc(value: datetime) -> datetime:
    """Convert to UTC; year 1 and year 9999 with an offset may have no equivalent."""
    try:
        return value.astimezone(UTC)
    except (OverflowError, ValueError):
        msg = "is out of range"
        raise ValueError(msg) from None


# NUL and the other control characters: databases, mail headers and terminals choke on them.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
"""Text of one line."""

Paragraph = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
"""Text that may hold line breaks and tabs."""

Instant = Annotated[AwareDatetime, BeforeValidator(_require_rfc3339), AfterValidator(_to_utc)]
"""A time as RFC 3339 writes it, with its zone; the value is in UTC."""
