"""Dead letters: what a consumer gave up, kept whole in a stream of its own.

A dead letter stands at ``dead.<consumer>.<stream sequence>[.<key>]``, written only if that
subject is empty: giving the same message up twice keeps one letter, for ever and not only
within a deduplication window. Personal data is in the payload alone.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from nats.js import JetStreamContext

from libs.chassis.jetstream import WrongSequence, publish
from libs.events.envelope import NewEvent, RecordedEvent, encode
from libs.events.subjects import subject_of

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class DeadLetters:
    """Writes to the stream DEAD_LETTERS."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def put(
        self, consumer: str, event: RecordedEvent, reason: str, *, key: str | None = None
    ) -> None:
        """Keep an event that a consumer could not work off.

        Args:
            consumer: the consumer's name.
            event: what it was about.
            reason: why, for the person who looks at it.
            key: tells the letters of one event apart, e.g. one for each of its mails.

        Raises:
            StoreUnavailable: it is not kept (or perhaps not); do not give the event up yet.
        """
        headers, data = encode(_as_new(event), event.lead_id)
        subject = subject_of(event.lead_id, event.part)
        await self.put_raw(consumer, subject, event.position, headers, data, reason, key=key)

    async def put_raw(
        self,
        consumer: str,
        subject: str,
        sequence: int,
        headers: Mapping[str, str],
        data: bytes,
        reason: str,
        *,
        key: str | None = None,
    ) -> None:
        """Keep a message that could not even be decoded; as ``put``."""
        letter = {
            "consumer": consumer,
            "subject": subject,
            "sequence": sequence,
            "reason": reason,
            "at": datetime.now(UTC).isoformat(),
            "headers": dict(headers),
            "data_base64": base64.b64encode(data).decode(),
        }
        tokens = [consumer, str(sequence), *([key] if key else [])]
        expected = {"Nats-Expected-Last-Subject-Sequence": "0"}
        try:
            await publish(self._js, dead_subject(*tokens), json.dumps(letter).encode(), expected)
        except WrongSequence:
            return  # it is there already


def dead_subject(*tokens: str) -> str:
    """The subject of a dead letter.

    Raises:
        ValueError: a token has other characters than letters, digits, ``_`` and ``-``.
    """
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        raise ValueError("a dead letter's tokens are made of letters, digits, _ and -")
    return ".".join(("dead", *tokens))


def _as_new(event: RecordedEvent) -> NewEvent:
    return NewEvent(
        event=event.event,
        id=event.id,
        time=event.time,
        source=event.source,
        actor=event.actor,
        causation_id=event.causation_id,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
    )
