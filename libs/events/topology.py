"""Every stream, KV bucket and object store of Leadlog, declared once.

``provision`` creates what is missing. What exists and differs is reported, and changed
only when the operator says so: a stream's configuration is the operator's as well.
KV buckets and the object store are streams with the layouts of ADR-8 and ADR-20 of the
NATS architecture notes, so they are declared as such.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from libs.events.subjects import STREAM, STREAM_SUBJECT

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
DEAD_LETTERS: Final = "DEAD_LETTERS"
AUDIT: Final = "AUDIT"
OUTBOX: Final = "OUTBOX"
RESUMES: Final = "RESUMES"
BUCKETS: Final[dict[str, float | None]] = {
    "ACCOUNTS": None,
    "SESSIONS": 30 * _DAY,
    "SIGNING_KEYS": None,
    "IDEMPOTENCY": _DAY,
    "MAIL_LEDGER": 30 * _DAY,
    "SETTINGS": None,
    "CREDENTIALS": None,
    "API_KEYS": None,
    "LINKS": 7 * _DAY,
    "SIGN_INS": 10 * _MINUTE,
    # Longer than any backup lives that may bring an erased person back: docs/adr/0021.
    "ERASURES": 400 * _DAY,
}
"""Each KV bucket and how long its entries live, in seconds; None means for ever."""

AUDIT_DAYS: Final = "leadlog-audit-days"
"""In the metadata of the stream AUDIT: for how long the operator decided to keep entries.

Kept where what it is about is, so that a decision and its effect are one write. 0: for ever.
"""

_COMPARED: Final = (
    "subjects",
    "retention",
    "discard",
    "max_age",
    "max_msgs_per_subject",
    "storage",
    "num_replicas",
    "duplicate_window",
    "deny_delete",
    "allow_rollup_hdrs",
    "allow_direct",
    "allow_atomic",
    "deny_purge",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one stream that is not as declared."""

    stream: str
    field: str
    actual: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What ``provision`` found and did."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    differences: tuple[Difference, ...]
    """What differs and was left alone."""


def _stream(name: str, description: str, subjects: list[str], **more: Any) -> StreamConfig:
    base = StreamConfig(
        name=name,
        description=description,
        subjects=subjects,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        duplicate_window=2 * _MINUTE,
        max_age=0,
        allow_direct=True,
        allow_atomic=True,
    )
    return replace(base, **more)


def _bucket(name: str, max_age: float | None) -> StreamConfig:
    # nats-py would set deny_delete; then nothing in a bucket could ever be erased for good.
    return _stream(
        f"KV_{name}",
        f"KV bucket {name}",
        [f"$KV.{name}.>"],
        max_msgs_per_subject=1,
        max_age=max_age or 0,
        allow_rollup_hdrs=True,
    )


def declared(
    replicas: int = 1, *, idempotency_hours: float = 24, audit_days: int | None = None
) -> list[StreamConfig]:
    """Every stream as it should be.

    Args:
        replicas: of each stream.
        idempotency_hours: how long a form's key is remembered.
        audit_days: how long an audit entry is kept; 0: for ever; None: nobody has decided.
    """
    lifetimes = BUCKETS | {"IDEMPOTENCY": idempotency_hours * _HOUR}
    streams = [
        _stream(STREAM, "Every event of every lead: the system", [STREAM_SUBJECT]),
        _stream(DEAD_LETTERS, "Messages that a consumer gave up", ["dead.>"]),
        _stream(
            AUDIT,
            "Who signed in, read and changed what; nobody can take anything out",
            ["audit.>"],
            deny_delete=True,
            deny_purge=True,
            max_age=(audit_days or 0) * _DAY,
            metadata=None if audit_days is None else {AUDIT_DAYS: str(audit_days)},
        ),
        # An invitation or a new password's link: erased once it is sent, worthless after a day.
        _stream(OUTBOX, "Mails to attorneys about their accounts", ["outbox.>"], max_age=_DAY),
        # No rollups, other than ADR-20 has it: one message with `Nats-Rollup: all` would erase
        # every resume, and intake may publish here.
        _stream(
            f"OBJ_{RESUMES}",
            "Object store of the resumes",
            [f"$O.{RESUMES}.C.>", f"$O.{RESUMES}.M.>"],
        ),
        *(_bucket(name, max_age) for name, max_age in lifetimes.items()),
    ]
    return [replace(stream, num_replicas=replicas) for stream in streams]


def differences(actual: StreamConfig, wanted: StreamConfig) -> list[Difference]:
    """The declared fields in which a stream is not as it should be (pure)."""
    said = actual.metadata or {}
    decided = [
        Difference(str(wanted.name), key, said.get(key, "not decided"), value)
        for key, value in (wanted.metadata or {}).items()
        if said.get(key) != value
    ]
    return decided + [
        Difference(str(wanted.name), field, _plain(have), _plain(want))
        for field in _COMPARED
        if (have := _normal(getattr(actual, field))) != (want := _normal(getattr(wanted, field)))
    ]


async def provision(
    js: JetStreamContext,
    replicas: int = 1,
    *,
    idempotency_hours: float = 24,
    audit_days: int | None = None,
    apply: bool = False,
    on_stream: Callable[[str], None] = lambda _name: None,
) -> Provisioned:
    """Make every stream exist; safe to run again and from several places at once.

    Args:
        js: a connection that may create streams.
        replicas: 1 for a single server, 3 in a cluster.
        idempotency_hours: how long a form's key is remembered.
        audit_days: how long an audit entry is kept from now on; 0: for ever; None: as was
            decided before, which is for ever until somebody decides.
        apply: also change what differs.
        on_stream: told the name of each stream as its turn comes.
    """
    created, changed, left = [], [], []
    for wanted in await _declared(js, replicas, idempotency_hours, audit_days):
        name = str(wanted.name)
        on_stream(name)
        try:
            info = await js.stream_info(name)
        except NotFoundError:
            await js.add_stream(wanted)
            created.append(name)
            continue
        found = differences(info.config, wanted)
        if found and apply:
            await js.update_stream(_merged(info.config, wanted))
            changed.append(name)
        else:
            left += found
    return Provisioned(tuple(created), tuple(changed), tuple(left))


def decided_audit_days(actual: StreamConfig) -> int | None:
    """For how many days the operator decided to keep audit entries; None: nobody has decided.

    Args:
        actual: the stream AUDIT as it is.
    """
    said = (actual.metadata or {}).get(AUDIT_DAYS, "")
    return int(said) if said.isdecimal() else None


async def _declared(
    js: JetStreamContext, replicas: int, idempotency_hours: float, audit_days: int | None
) -> list[StreamConfig]:
    if audit_days is None:
        with suppress(NotFoundError):  # then it is made now
            audit_days = decided_audit_days((await js.stream_info(AUDIT)).config)
    return declared(replicas, idempotency_hours=idempotency_hours, audit_days=audit_days)


async def missing(js: JetStreamContext) -> list[str]:
    """The names of the declared streams that do not exist."""
    absent = []
    for wanted in declared():
        try:
            await js.stream_info(str(wanted.name))
        except NotFoundError:
            absent.append(str(wanted.name))
    return absent


def _merged(actual: StreamConfig, wanted: StreamConfig) -> StreamConfig:
    changed = {field: getattr(wanted, field) for field in _COMPARED}
    # What the operator and the server wrote there stays.
    metadata = {**(actual.metadata or {}), **(wanted.metadata or {})}
    return replace(actual, **changed, metadata=metadata or None)


def _normal(value: object) -> object:
    return value or None


def _plain(value: object) -> str:
    return str(getattr(value, "value", value))
