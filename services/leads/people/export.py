"""Everything about a person as one zip file, made piece by piece (GDPR, articles 15 and 20)."""

import base64
import json
import re
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from nats.js import JetStreamContext

from libs.chassis.jetstream import StoredMessage
from libs.events import LeadSubmitted, RecordedEvent
from libs.resumes import JetStreamResumeStore, ResumeDamaged, ResumeMissing
from services.leads.lead import state_of
from services.leads.people.erase import messages_of
from services.leads.people.plan import plan_of, read
from services.leads.people.traces import Marks, traces_of
from services.leads.quarantine import is_quarantined

_UNSAFE: Final = re.compile(r"[^\w. -]", re.ASCII)
_LONGEST: Final = 80
_ABOUT: Final = """Everything that this installation of Leadlog keeps about a person.

leads/<id>/events.json   every event of one form that was sent, oldest first: what was filled in,
                         what was done, which mails went out
leads/<id>/<file>        the file that came with it; one in which a virus was found has
                         VIRUS-FOUND in its name and .quarantined at its end
other.json               the mail ledger, idempotency claims and dead letters about these leads

Times are UTC. What is not here: mails in mailboxes, and backups.
"""


class _Pipe:
    """What a ZipFile writes to; it gives away what it has got so far."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        """Everything is there already."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


async def export(
    js: JetStreamContext, lead_ids: Iterable[UUID], *, now: datetime
) -> AsyncGenerator[bytes]:
    """The zip file, in pieces; only one piece of a resume is in memory at a time.

    Raises:
        StoreUnavailable: JetStream does not answer; what was given out is no whole file.
    """
    pipe, archive = _open()
    leads = list(lead_ids)
    with archive:
        _add(archive, "README.txt", _ABOUT.encode(), now)
        yield pipe.take()
        everything = []
        for lead_id in leads:
            messages = await messages_of(js, lead_id)
            everything += messages
            _add(archive, f"leads/{lead_id}/events.json", _events(messages), now)
            yield pipe.take()
            facts = [recorded for recorded in map(read, messages) if recorded is not None]
            state = state_of(facts)
            held = is_quarantined(state.verdict, released=state.released)
            for recorded in facts:
                async for piece in _resume(js, archive, pipe, recorded, now, quarantined=held):
                    yield piece
        _add(archive, "other.json", await _others(js, leads, everything), now)
    yield pipe.take()


def _open() -> tuple[_Pipe, zipfile.ZipFile]:
    pipe = _Pipe()
    return pipe, zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED)


def _info(name: str, now: datetime, kind: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, now.timetuple()[:6])
    info.compress_type = kind
    info.external_attr = 0o600 << 16
    return info


def _add(archive: zipfile.ZipFile, name: str, data: bytes, now: datetime) -> None:
    archive.writestr(_info(name, now), data)


async def _resume(
    js: JetStreamContext,
    archive: zipfile.ZipFile,
    pipe: _Pipe,
    recorded: RecordedEvent,
    now: datetime,
    *,
    quarantined: bool,
) -> AsyncIterator[bytes]:
    if not isinstance(recorded.event, LeadSubmitted):
        return
    resume = recorded.event.resume
    folder = f"leads/{recorded.lead_id}"
    name = safe_name(resume.file_name)
    if quarantined:
        name = warning_name(name)
    # Documents are compressed already. Opened first: a name must stand in the file even if the
    # bytes turn out to be missing, which the note beside it then says.
    try:
        with archive.open(_info(f"{folder}/{name}", now, zipfile.ZIP_STORED), "w") as entry:
            async for piece in JetStreamResumeStore(js).read(resume.object):
                entry.write(piece)
                yield pipe.take()
    except (ResumeMissing, ResumeDamaged) as error:
        what = "is not stored any more" if isinstance(error, ResumeMissing) else "is damaged"
        _add(archive, f"{folder}/file-missing.txt", f"The file {what}.\n".encode(), now)
    yield pipe.take()


def safe_name(file_name: str) -> str:
    """A file's name that cannot leave its folder, nor hide, nor take the events' name (pure)."""
    stem = _UNSAFE.sub("_", file_name)[-_LONGEST:].strip(" .")
    return f"file-{stem or 'resume'}"


def warning_name(name: str) -> str:
    """The name of a file with a virus: it says so, and no click opens it (pure).

    It is the person's own data, so it is not left out.
    """
    return f"VIRUS-FOUND-{name}.quarantined"


def _events(messages: Iterable[StoredMessage]) -> bytes:
    return _json([_shown(message, read(message)) for message in messages])


def _shown(message: StoredMessage, recorded: RecordedEvent | None) -> dict[str, Any]:
    if recorded is None:
        return {"position": message.sequence, **_raw(message)}
    return {
        "position": recorded.position,
        "type": recorded.event.type,
        "id": str(recorded.id),
        "time": recorded.time.isoformat(),
        "actor": recorded.actor,
        "data": recorded.event.model_dump(mode="json"),
    }


async def _others(
    js: JetStreamContext, leads: Iterable[UUID], messages: list[StoredMessage]
) -> bytes:
    plan = plan_of(messages)
    marks = Marks(frozenset(leads), plan.event_ids, plan.message_ids)
    found: dict[str, list[dict[str, Any]]] = {}
    for trace in await traces_of(js, marks):
        found.setdefault(trace.stream, []).append(dict(_plain(trace.message)))
    return _json(found)


def _plain(message: StoredMessage) -> Iterator[tuple[str, Any]]:
    yield "subject", message.subject
    try:
        yield "value", json.loads(message.data)
    except ValueError:
        yield "value_base64", base64.b64encode(message.data).decode()


def _raw(message: StoredMessage) -> dict[str, Any]:
    own = {name: value for name, value in message.headers.items() if name.startswith("ce-")}
    return {"headers": own, "data_base64": base64.b64encode(message.data).decode()}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
