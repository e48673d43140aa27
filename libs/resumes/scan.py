"""Walking through what the object store holds, by position, without reading any bytes."""

import base64
from datetime import datetime
from typing import Final
from uuid import uuid4

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from libs.chassis.errors import StoreUnavailable
from libs.resumes.names import lead_of
from libs.resumes.store import StoredObject

_STREAM: Final = "OBJ_RESUMES"
_BATCH: Final = 500
_FETCH_SECONDS: Final = 2.0


async def scan(
    js: JetStreamContext, *, after: int, until: datetime
) -> tuple[list[StoredObject], int]:
    """See ``ResumeStore.stored``. A headers-only consumer, so that no resume is transferred."""
    name = f"janitor-{uuid4().hex}"
    config = ConsumerConfig(
        name=name,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=30.0,
    )
    try:
        info = await js.add_consumer(_STREAM, config)
        subscription = await js.pull_subscribe_bind(consumer=name, stream=_STREAM)
        try:
            return await _walk(subscription, info.num_pending or 0, after, until)
        finally:
            await subscription.unsubscribe()
            await js.delete_consumer(_STREAM, name)
    except (APIError, nats.errors.Error, TimeoutError) as error:
        raise StoreUnavailable("the object store did not answer") from error


async def _walk(
    subscription: JetStreamContext.PullSubscription, pending: int, after: int, until: datetime
) -> tuple[list[StoredObject], int]:
    found: dict[str, StoredObject] = {}
    position = after
    while pending:
        for message in await subscription.fetch(_BATCH, timeout=_FETCH_SECONDS):
            metadata = message.metadata
            if metadata.timestamp >= until:
                return list(found.values()), position
            name = _name_of(message.subject)
            lead_id = lead_of(name)
            if lead_id is not None:
                found.setdefault(name, StoredObject(name, lead_id, metadata.timestamp))
            position, pending = metadata.sequence.stream, metadata.num_pending
    return list(found.values()), position


def _name_of(subject: str) -> str:
    kind, token = subject.split(".", 3)[2:]
    if kind == "C":
        return token
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError:
        return ""
