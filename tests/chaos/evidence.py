"""Reads what is left after a run with nats-py, sqlite3 and email: nothing of Leadlog's own."""

import asyncio
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import (
    APIError,
    BadObjectMetaError,
    DigestMismatchError,
    ObjectDeletedError,
    ObjectNotFoundError,
)
from nats.js.object_store import ObjectStore

_READ_SECONDS = 60.0
_TOO_MANY_CONSUMERS = 10026
_LINK = re.compile(r"https://leads\.firm\.example\.org/leads/([0-9a-f-]{36})")

Table = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Fact:
    """A message of the stream LEADS."""

    position: int
    lead_id: str
    part: str
    type: str
    id: str
    data: dict[str, Any]
    time: str = ""
    actor: str = ""


@dataclass(frozen=True)
class Mail:
    """A mail that the mail server took; ``at`` is the second at which it was written."""

    message_id: str
    to: str
    lead_id: str | None
    at: float


@dataclass
class Evidence:
    """All that a run left.

    Attributes:
        resumes: size and SHA-256 of each object that an event names; None if it cannot be read.
        inboxes: each leads replica's leads by id, over HTTP.
        tables: each replica's database, by table.
        dead: subjects of dead letters.
    """

    facts: list[Fact] = field(default_factory=list)
    resumes: dict[str, tuple[int, str] | None] = field(default_factory=dict)
    inboxes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Table]] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)


async def connect(urls: Sequence[str], user: str, password: str) -> Client:
    """A client that tells nobody of small troubles."""

    async def quiet(_error: Exception) -> None: ...

    return await nats.connect(
        list(urls), user=user, password=password, max_reconnect_attempts=-1, error_cb=quiet
    )


async def read_facts(js: JetStreamContext) -> list[Fact]:
    """Every message of the stream LEADS, in order.

    Raises:
        TimeoutError: it could not be read to its end.
    """
    return [
        _fact(subject, headers, data, position)
        for subject, headers, data, position in await _read(js, "LEADS")
    ]


async def read_dead(js: JetStreamContext) -> list[str]:
    """The subjects of all dead letters."""
    return [subject for subject, _, _, _ in await _read(js, "DEAD_LETTERS")]


async def _read(js: JetStreamContext, stream: str) -> list[tuple[str, dict[str, str], bytes, int]]:
    found: list[tuple[str, dict[str, str], bytes, int]] = []
    info = await js.stream_info(stream)
    if not info.state.messages:
        return found
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, inactive_threshold=30
    )
    made = await js.add_consumer(stream, config)
    subscription = await js.pull_subscribe_bind(consumer=made.name, stream=stream)
    async with asyncio.timeout(_READ_SECONDS):
        while True:
            for message in await subscription.fetch(500, timeout=5):
                metadata = message.metadata
                assert metadata.sequence is not None
                assert metadata.sequence.consumer == len(found) + 1, "a message was passed over"
                headers = message.headers or {}
                found.append((message.subject, headers, message.data, metadata.sequence.stream))
                if not metadata.num_pending:
                    await subscription.unsubscribe()
                    return found


def _fact(subject: str, headers: dict[str, str], data: bytes, position: int) -> Fact:
    _, lead_id, part = subject.split(".")
    return Fact(
        position,
        lead_id,
        part,
        headers["ce-type"],
        headers["ce-id"],
        json.loads(data),
        headers["ce-time"],
        headers["ce-actor"],
    )


async def read_resumes(
    js: JetStreamContext, names: Iterable[str]
) -> dict[str, tuple[int, str] | None]:
    """Size and SHA-256 of objects, read with nats-py's own object store."""
    store = await js.object_store("RESUMES")
    turn = asyncio.Semaphore(8)

    async def one(name: str) -> tuple[int, str] | None:
        async with turn:
            content = await _object(store, name)
        return None if content is None else (len(content), hashlib.sha256(content).hexdigest())

    each = list(names)
    return dict(zip(each, await asyncio.gather(*map(one, each)), strict=True))


async def _object(store: ObjectStore, name: str) -> bytes | None:
    """An object's content; None when it is not there, or not whole, or not what it was.

    Raises:
        APIError: it cannot be told.
    """
    for patience in (True, True, False):
        try:
            async with asyncio.timeout(10):
                return (await store.get(name)).data or b""
        except (ObjectNotFoundError, ObjectDeletedError, BadObjectMetaError, DigestMismatchError):
            return None
        except TimeoutError:
            continue  # without all of its pieces, nats-py waits for ever
        except APIError as error:
            # Each get leaves a consumer behind for some seconds; a server has room for a thousand.
            if error.err_code != _TOO_MANY_CONSUMERS or not patience:
                raise
            await asyncio.sleep(10)
    return None


async def read_inbox(url: str, token: str, position: int) -> dict[str, Any]:
    """Every lead that a replica lists once it has reached a position."""
    leads: dict[str, Any] = {}
    headers = {"Authorization": f"Bearer {token}", "Leadlog-Position": str(position)}
    cursor = ""
    async with aiohttp.ClientSession() as session, asyncio.timeout(_READ_SECONDS):
        while True:
            path = f"{url}/leads?limit=200&sort=email{cursor}"
            async with session.get(path, headers=headers) as answer:
                page = await answer.json(content_type=None)
            if answer.status == 503:  # not there yet
                await asyncio.sleep(0.2)
                continue
            assert answer.status == 200, page
            for item in page["items"]:
                assert item["id"] not in leads, "a lead stands on two pages"
                leads[item["id"]] = item
            if not page["next_cursor"]:
                return leads
            cursor = f"&cursor={page['next_cursor']}"


def read_tables(path: Path) -> dict[str, Table]:
    """What a database holds, whatever its tables are; of a full-text index, its entries."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        [(integrity,)] = database.execute("PRAGMA integrity_check").fetchall()
        assert integrity == "ok", f"{path}: {integrity}"
        made = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        indexes = [name for name, sql in made.items() if "VIRTUAL" in sql]
        tables = {name: _index_entries(database, name) for name in indexes}
        for name in made:
            if not any(name == index or name.startswith(f"{index}_") for index in indexes):
                rows = database.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - ours
                tables[name] = sorted(rows, key=repr)
        return tables


def _index_entries(database: sqlite3.Connection, name: str) -> Table:
    vocabulary = f"temp.entries_of_{name}"
    database.execute(
        f"CREATE VIRTUAL TABLE {vocabulary} USING fts5vocab('main', '{name}', 'instance')"
    )
    query = f"SELECT term, doc FROM {vocabulary} ORDER BY term, doc"  # noqa: S608 - ours
    return database.execute(query).fetchall()


def read_mails(folder: Path) -> list[Mail]:
    """Every mail in the mail server's folder, oldest first."""
    paths = folder.glob("*.eml")
    return sorted((_mail(path) for path in paths), key=lambda mail: mail.at)


def _mail(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), _class=EmailMessage, policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    link = _LINK.search(body.get_content())
    to = message["To"].addresses[0].addr_spec
    return Mail(str(message["Message-ID"]), to, link[1] if link else None, path.stat().st_mtime)
