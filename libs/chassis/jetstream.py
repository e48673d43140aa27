"""What nats-py leaves to its user: publishing that survives faults, and batched reads.

A publish may find no leader for 4 to 9 seconds after a server was lost, and a request in
flight when the connection breaks waits out its whole timeout. So attempts are short and
are repeated with the same message id until a deadline (docs/adr/0003).
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, Final, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError, NoStreamResponseError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats_client import api_of

ATTEMPT_SECONDS: Final = 2.0
DEADLINE_SECONDS: Final = 12.0

WRONG_SEQUENCE: Final = frozenset({10071, 10164})
"""Both mean that the expectation failed; 10164 while another write is in flight."""
DUPLICATE_IN_BATCH: Final = 10201
_TRY_AGAIN: Final = frozenset({10008, 10158, 10163, 10167})
"""Not available for the moment, or the same message id is being written just now."""
_NO_ROOM: Final = frozenset({10023, 10028, 10047, 10077})
"""The server's or the stream's storage is full."""
_STORE_FAILED: Final = 10077
"""Writing or syncing failed: when it was the syncing, the message may stand there all the same."""

T = TypeVar("T")
Headers = dict[str, str]


class WrongSequence(Exception):
    """The expectation that was sent with a message does not hold."""


class DuplicateInBatch(Exception):
    """A message of an atomic batch is in the stream already; nothing was written."""


@dataclass(slots=True)
class _Attempts:
    """How a series of attempts stands: may it go on, may one of them have worked?"""

    deadline: float
    ambiguous: bool = False
    pause: float = 0.02
    started: float = field(default_factory=monotonic)

    async def wait(self) -> None:
        left = self.started + self.deadline - monotonic()
        if left <= 0:
            raise StoreUnavailable("JetStream did not answer in time", ambiguous=self.ambiguous)
        await asyncio.sleep(min(left, self.pause * (0.5 + random.random())))  # noqa: S311 - jitter
        self.pause = min(0.5, self.pause * 2)


async def with_retries(
    client: Client,
    attempt: Callable[[], Awaitable[T]],
    *,
    deadline: float = DEADLINE_SECONDS,
) -> T:
    """Repeat a request that is safe to repeat until JetStream answers.

    Nothing is sent while the connection is away: nats-py would keep it and send it later,
    when the caller has long been told that it failed.

    Raises:
        StoreUnavailable: no answer within ``deadline`` seconds, or the storage is full.
        WrongSequence: an expectation failed.
        DuplicateInBatch: a batch holds a message id that the stream knows.
        APIError: JetStream refused the request for another reason.
    """
    attempts = _Attempts(deadline)
    while True:
        if client.is_connected:
            try:
                return await attempt()
            except NoStreamResponseError:
                pass
            except TimeoutError:
                attempts.ambiguous = True
            except APIError as error:
                _raise_unless_passing(error, attempts)
            except (nats.errors.NoRespondersError, nats.errors.OutboundBufferLimitError):
                pass
            except (nats.errors.ConnectionClosedError, nats.errors.ConnectionDrainingError):
                raise StoreUnavailable(
                    "the connection to NATS is closed", ambiguous=attempts.ambiguous
                ) from None
        elif client.is_closed:
            raise StoreUnavailable("the connection to NATS is closed", ambiguous=attempts.ambiguous)
        await attempts.wait()


def _raise_unless_passing(error: APIError, attempts: _Attempts) -> None:
    if error.err_code in WRONG_SEQUENCE:
        raise WrongSequence from error
    if error.err_code == DUPLICATE_IN_BATCH:
        raise DuplicateInBatch from error
    if error.err_code in _NO_ROOM:
        raise StoreUnavailable(
            f"JetStream has no room left (error {error.err_code})",
            ambiguous=attempts.ambiguous or error.err_code == _STORE_FAILED,
        ) from error
    if error.err_code not in _TRY_AGAIN and error.code != 503:  # noqa: PLR2004 - HTTP-like code
        raise error


async def publish(
    js: JetStreamContext,
    subject: str,
    payload: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    deadline: float = DEADLINE_SECONDS,
) -> PubAck:
    """Publish one message until it is acknowledged.

    Give it a ``Nats-Msg-Id`` or an expectation: a lost acknowledgement means a repeat.

    Raises:
        as ``with_retries``.
    """
    client = js._nc  # noqa: SLF001 - nats-py has no public way from a context to its client

    async def attempt() -> PubAck:
        copy = dict(headers) if headers else None
        return await js.publish(subject, payload, timeout=ATTEMPT_SECONDS, headers=copy)

    return await with_retries(client, attempt, deadline=deadline)


async def publish_batch(
    js: JetStreamContext,
    messages: list[tuple[str, bytes, Headers]],
    batch_id: str,
    *,
    deadline: float = DEADLINE_SECONDS,
) -> PubAck:
    """Publish several messages all or nothing (ADR-50 of the NATS architecture notes).

    Each attempt has a batch id of its own, since the server may still hold an abandoned one.

    Raises:
        as ``with_retries``.
    """
    client = js._nc  # noqa: SLF001 - as above
    count = 0

    async def attempt() -> PubAck:
        nonlocal count
        count += 1
        *first, last = _numbered(messages, f"{batch_id}-{count}")
        for subject, payload, headers in first:
            await client.publish(subject, payload, headers=headers)
        subject, payload, headers = last
        headers["Nats-Batch-Commit"] = "1"
        ack = await js.publish(subject, payload, timeout=ATTEMPT_SECONDS, headers=headers)
        check_batch(ack, len(messages))
        return ack

    return await with_retries(client, attempt, deadline=deadline)


class NoBatch(Exception):
    """The acknowledgement is for one message only: this server knows no atomic batches."""


def check_batch(ack: PubAck, size: int) -> None:
    """Make sure that an acknowledgement stands for a whole batch.

    A server before 2.12 takes the headers for any others and stores message by message.

    Raises:
        NoBatch: it does not.
    """
    if ack.batch_size != size:
        raise NoBatch("Leadlog needs nats-server 2.12 or newer")


def _numbered(
    messages: list[tuple[str, bytes, Headers]], batch_id: str
) -> list[tuple[str, bytes, Headers]]:
    return [
        (subject, payload, {**headers, "Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(n)})
        for n, (subject, payload, headers) in enumerate(messages, start=1)
    ]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a stream holds it."""

    subject: str
    sequence: int
    headers: dict[str, str]
    data: bytes


async def get_batch(
    client: Client,
    stream: str,
    subject_filter: str,
    *,
    first: int = 1,
    batch: int = 256,
    pages: int | None = None,
    deadline: float = DEADLINE_SECONDS,
) -> list[StoredMessage]:
    """The messages that match a filter, one round trip for each ``batch`` of them.

    All of them, from the sequence ``first`` on, or those of so many ``pages``.

    Batched direct gets (ADR-31 of the NATS architecture notes).
    Any replica may answer: what was acknowledged a moment ago may be missing.

    Raises:
        StoreUnavailable: no answer within the deadline.
    """
    found: list[StoredMessage] = []
    while True:
        request = {"seq": first, "batch": batch, "next_by_subj": subject_filter}

        async def attempt(request: dict[str, Any] = request) -> tuple[list[StoredMessage], int]:
            return await _get_some(client, stream, request)

        part, pending = await with_retries(client, attempt, deadline=deadline)
        found += part
        pages = None if pages is None else pages - 1
        if not pending or not part or pages == 0:
            return found
        first = part[-1].sequence + 1


async def first_since(
    client: Client, stream: str, time: datetime, *, deadline: float = DEADLINE_SECONDS
) -> int | None:
    """The sequence of the first message that was stored then or later; None if there is none.

    Args:
        client: the connection.
        stream: one that allows direct gets.
        time: UTC; the server counts nanoseconds from 1970 in 64 bits, so up to the year 2262.
        deadline: seconds.

    Raises:
        StoreUnavailable: no answer within the deadline.
    """
    # Without a filter the server would take this for a request for one message only.
    request = {"start_time": time.isoformat(), "batch": 1, "next_by_subj": ">"}

    async def attempt() -> tuple[list[StoredMessage], int]:
        return await _get_some(client, stream, request)

    found, _ = await with_retries(client, attempt, deadline=deadline)
    return found[0].sequence if found else None


async def _get_some(
    client: Client, stream: str, request: dict[str, Any]
) -> tuple[list[StoredMessage], int]:
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    messages: list[StoredMessage] = []
    try:
        subject = f"{api_of(client)}.DIRECT.GET.{stream}"
        await client.publish(subject, json.dumps(request).encode(), reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=ATTEMPT_SECONDS)
            headers = message.headers or {}
            match headers.get("Status"):
                case None:
                    messages.append(_stored(message, headers))
                case "204":
                    return messages, int(headers.get("Nats-Num-Pending", "0"))
                case "404":
                    return [], 0
                case "503":
                    raise nats.errors.NoRespondersError
                case status:
                    text = headers.get("Description", "")
                    raise APIError(code=int(status), description=text)
    finally:
        await _unsubscribe(subscription)


async def _unsubscribe(subscription: Any) -> None:
    try:
        await subscription.unsubscribe()
    except nats.errors.Error:
        return  # the connection went away and took the subscription with it


def _stored(message: Msg, headers: dict[str, str]) -> StoredMessage:
    return StoredMessage(
        subject=headers["Nats-Subject"],
        sequence=int(headers["Nats-Sequence"]),
        headers=headers,
        data=message.data,
    )
