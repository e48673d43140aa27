"""What an entry of the audit trail says, and how it stands in the stream (pure)."""

import hashlib
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

OPERATOR: Final = "operator"
"""The actor of what is done by command, at the machine."""
ANONYMOUS: Final = "anonymous"
"""The actor of what is done by somebody who has not (yet) shown who they are."""
SHARDS: Final = 256
_NO_TARGET: Final = "-"
_ACTION: Final = r"^[a-z][a-z0-9-]{0,39}\.[a-z][a-z0-9.-]{0,59}$"
_REFERENCE: Final = r"^[a-z][a-z-]{0,29}(:[A-Za-z0-9_-]{1,100})?$"
_IPV4_BITS, _IPV6_BITS = 24, 48

Outcome = Literal["ok", "refused", "failed"]
Reference = Annotated[str, StringConstraints(pattern=_REFERENCE)]
Detail = Annotated[str, StringConstraints(max_length=200)] | bool | int


class AuditEntry(BaseModel):
    """Somebody did something, or was refused it.

    No names, no email addresses, nothing that was typed: it can never be taken out again.

    Attributes:
        action: ``<area>.<verb>``, such as ``lead.read``.
        actor: ``account:<id>``, ``api-key:<id>``, ``operator`` or ``anonymous``.
        target: what it was done to, such as ``lead:<id>``.
        outcome: ``refused``: it was not allowed; ``failed``: it was, but did not work.
        details: a few words and numbers more.
        address: where the request came from, cut to its network (docs/adr/0018).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    action: str = Field(pattern=_ACTION)
    actor: Reference
    target: Reference | None = None
    outcome: Outcome = "ok"
    details: dict[str, Detail] = Field(default_factory=dict, max_length=20)
    address: str | None = None

    @field_validator("details")
    @classmethod
    def _no_address(cls, details: dict[str, Detail]) -> dict[str, Detail]:
        if any(isinstance(value, str) and "@" in value for value in details.values()):
            raise ValueError("an email address has no place in the audit trail")
        return details

    @field_validator("address")
    @classmethod
    def _network(cls, address: str | None) -> str | None:
        return None if address is None else network_of(address)


class RecordedEntry(AuditEntry):
    """An entry as the stream holds it.

    Attributes:
        id: tells it from every other.
        time: when it happened, UTC.
        position: its place in the stream; not part of what is stored.
    """

    id: UUID
    time: datetime
    position: int = Field(0, exclude=True)


class UnreadableEntry(ValueError):
    """A message of the stream is no entry; the text does not repeat it."""


def network_of(address: str) -> str | None:
    """The network an address is in: /24 for IPv4, /48 for IPv6; None if it is no address.

    An address that is a network already stays.
    """
    text = address.partition("/")[0].partition("%")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    bits = _IPV4_BITS if parsed.version == 4 else _IPV6_BITS  # noqa: PLR2004 - the version's number
    return str(ip_network(f"{parsed}/{bits}", strict=False))


def encode(entry: AuditEntry, entry_id: UUID, time: datetime) -> bytes:
    """The data of the message that holds an entry."""
    recorded = RecordedEntry(**dict(entry), id=entry_id, time=time)
    return recorded.model_dump_json(exclude_none=True).encode()


def decode(payload: bytes, position: int) -> RecordedEntry:
    """Read an entry.

    Raises:
        UnreadableEntry: it is none.
    """
    try:
        recorded = RecordedEntry.model_validate_json(payload)
    except ValueError:
        raise UnreadableEntry("it is not an entry that this version can read") from None
    return recorded.model_copy(update={"position": position})


def subject_of(entry: AuditEntry) -> str:
    """``audit.<area>.<verb>.<actor>.<shard of the target>``.

    The server keeps an index of a stream's subjects in memory, so a target is only there by
    one of 256 shards: enough to find its entries quickly, and few subjects for ever.
    """
    area, verb = _action_tokens(entry.action)
    return f"audit.{area}.{verb}.{entry.actor}.{shard_of(entry.target)}"


def filter_of(*, action: str | None, actor: str | None, target: str | None) -> str:
    """The subject filter that lets every entry with these values pass (and others, by shard).

    Args:
        action: a whole one, or only its area.
        actor: as in an entry.
        target: as in an entry.
    """
    area, verb = ("*", "*") if action is None else _action_tokens(action)
    shard = "*" if target is None else shard_of(target)
    return f"audit.{area}.{verb or '*'}.{actor or '*'}.{shard}"


def shard_of(target: str | None) -> str:
    """The last token of the subject: two hexadecimal digits, or ``-`` without a target."""
    if target is None:
        return _NO_TARGET
    return f"{hashlib.sha256(target.encode()).digest()[0] % SHARDS:02x}"


def _action_tokens(action: str) -> tuple[str, str]:
    area, _, verb = action.partition(".")
    return area, verb.replace(".", "_")
