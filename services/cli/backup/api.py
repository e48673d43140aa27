"""JetStream's snapshot and restore requests, which nats-py does not have.

A snapshot arrives in chunks on an inbox, each to be acknowledged before too many are under
way; a restore is a request for each chunk (ADR-67 of the NATS architecture notes describes
the format that servers from 2.15 on write).
"""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError

CHUNK: Final = 128 * 1024
"""Bytes; must be well below the server's max_payload."""
_ANSWER_SECONDS: Final = 30.0
_CHUNK_SECONDS: Final = 60.0
_END_SECONDS: Final = 600.0
"""A cluster answers when every replica has the stream."""


class SnapshotFailed(Exception):
    """The server ended a snapshot or a restore; the text is the server's reason."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that has begun; ``chunks`` must be read to its end."""

    config: dict[str, Any]
    state: dict[str, Any]
    chunks: AsyncIterator[bytes]


async def take(client: Client, stream: str) -> Snapshot:
    """Begin a snapshot of a stream with its consumers, as it is now.

    Raises:
        SnapshotFailed: the server refuses it, or says nothing.
        APIError: there is no such stream, or JetStream refuses.
    """
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    request = {"deliver_subject": inbox, "chunk_size": CHUNK, "no_consumers": False}
    try:
        answer = await _ask(client, f"$JS.API.STREAM.SNAPSHOT.{stream}", request)
    except BaseException:
        await subscription.unsubscribe()
        raise
    return Snapshot(answer["config"], answer["state"], _chunks(client, subscription))


async def _chunks(client: Client, subscription: Any) -> AsyncIterator[bytes]:
    try:
        while True:
            message = await _next(subscription)
            if not message.data:
                _check_end(message)
                return
            yield message.data
            if message.reply:  # the last, shorter chunk asks for no acknowledgement
                await client.publish(message.reply, b"")
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


async def _next(subscription: Any) -> Msg:
    try:
        message: Msg = await subscription.next_msg(timeout=_CHUNK_SECONDS)
    except TimeoutError:
        raise SnapshotFailed(f"nothing has arrived for {_CHUNK_SECONDS:.0f} seconds") from None
    return message


def _check_end(message: Msg) -> None:
    headers = message.headers or {}
    status = headers.get("Status", "204")
    if status != "204":
        raise SnapshotFailed(headers.get("Description") or f"status {status}")


async def put_back(
    client: Client,
    stream: str,
    config: dict[str, Any],
    state: dict[str, Any],
    chunks: Iterable[bytes],
) -> dict[str, Any]:
    """Make a stream from a snapshot; the server's answer to its creation.

    Raises:
        SnapshotFailed: the server did not take it.
        APIError: the server refuses it, e.g. since the stream exists.
    """
    request = {"config": config, "state": state}
    begun = await _ask(client, f"$JS.API.STREAM.RESTORE.{stream}", request)
    target = str(begun["deliver_subject"])
    for chunk in chunks:
        reply = await _request(client, target, chunk, _CHUNK_SECONDS)
        if reply.data:
            return _parsed(reply.data)
    return _parsed((await _request(client, target, b"", _END_SECONDS)).data)


async def _ask(client: Client, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    message = await _request(client, subject, json.dumps(request).encode(), _ANSWER_SECONDS)
    return _parsed(message.data)


async def _request(client: Client, subject: str, data: bytes, seconds: float) -> Msg:
    try:
        return await client.request(subject, data, timeout=seconds)
    except nats.errors.NoRespondersError:
        raise SnapshotFailed("JetStream is not available, or this user may not do that") from None
    except TimeoutError:
        raise SnapshotFailed(f"the server has not answered for {seconds:.0f} seconds") from None


def _parsed(data: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(data)
    if "error" in answer:
        APIError.from_error(answer["error"])  # raises
    return answer
