"""JetStream's snapshot and restore requests, which nats-py does not have.

A snapshot arrives in chunks on an inbox, each to be acknowledged before too many are under
way; a restore is a request for each chunk (ADR-67 of the NATS architecture notes describes
the format that servers from 2.15 on write).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import APIError, ServiceUnavailableError

from libs.chassis.jetstream import with_retries

CHUNK: Final = 128 * 1024
"""Bytes; must be well below the server's max_payload."""
_ANSWER_SECONDS: Final = 30.0
_LEADERLESS_SECONDS: Final = 20.0
"""A cluster may take 4 to 9 seconds to find a leader."""
_LISTENER_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.2
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
        reply = await _hand_over(client, target, chunk, _CHUNK_SECONDS)
        if reply.data:
            return _parsed(reply.data)
    return _parsed((await _hand_over(client, target, b"", _END_SECONDS)).data)


async def _hand_over(client: Client, target: str, chunk: bytes, seconds: float) -> Msg:
    """Send one chunk; nobody has had it yet when the answer is that nobody listens.

    In a cluster our server may hear where the chunks go before it hears, on another route,
    that somebody listens there.
    """
    end = monotonic() + _LISTENER_SECONDS
    while True:
        try:
            return await _request(client, target, chunk, seconds)
        except nats.errors.NoRespondersError:
            if monotonic() > end:
                raise SnapshotFailed("the server has given the restore up") from None
        await asyncio.sleep(_PAUSE_SECONDS)


async def info_of(js: JetStreamContext, stream: str) -> StreamInfo:
    """A stream's configuration and state, also from a cluster that looks for a leader.

    Raises:
        NotFoundError: there is no such stream.
        StoreUnavailable: nobody answers.
    """

    async def attempt() -> StreamInfo:
        return await js.stream_info(stream)

    return await with_retries(js._nc, attempt, deadline=_LEADERLESS_SECONDS)  # noqa: SLF001


async def _ask(client: Client, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    """Send a first request, again while a cluster has no leader for it."""
    end = monotonic() + _LEADERLESS_SECONDS
    while True:
        try:
            data = json.dumps(request).encode()
            return _parsed((await _request(client, subject, data, _ANSWER_SECONDS)).data)
        except (nats.errors.NoRespondersError, ServiceUnavailableError):
            if monotonic() > end:
                raise SnapshotFailed("JetStream is not available") from None
        await asyncio.sleep(_PAUSE_SECONDS)


async def _request(client: Client, subject: str, data: bytes, seconds: float) -> Msg:
    try:
        return await client.request(subject, data, timeout=seconds)
    except TimeoutError:
        raise SnapshotFailed(f"the server has not answered for {seconds:.0f} seconds") from None


def _parsed(data: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(data)
    if "error" in answer:
        APIError.from_error(answer["error"])  # raises
    return answer
