"""Looking after dead letters: read them, have them worked off again, throw them away."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from libs.chassis.jetstream import (
    ATTEMPT_SECONDS,
    StoredMessage,
    WrongSequence,
    get_batch,
    publish,
    with_retries,
)
from libs.events.ids import new_id
from libs.events.letters import (
    ORDERS,
    PREFIX,
    Letter,
    letter_subject,
    order_subject,
    parse_letter,
    write_letter,
)
from libs.events.topology import DEAD_LETTERS

_GONE: Final = 10057
"""The error code for deleting a message that is not there."""


class Letters:
    """The dead letters of a system; every call may raise StoreUnavailable."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context

    async def find_all(self) -> list[Letter]:
        """Every letter, oldest first."""
        messages = await get_batch(self._client, DEAD_LETTERS, f"{PREFIX}>")
        letters = (
            parse_letter(message.subject, message.sequence, message.data)
            for message in messages
            if not message.subject.startswith(ORDERS)
        )
        return list({letter.id: letter for letter in letters}.values())

    async def get(self, letter_id: str) -> Letter | None:
        """One letter, as the leader has it, or None."""
        message = await self._last(letter_subject(letter_id))
        if message is None:
            return None
        return parse_letter(message.subject, message.sequence, message.data)

    async def discard(self, letter_id: str) -> None:
        """Erase a letter, so that its bytes are overwritten; it need not exist."""
        subject = letter_subject(letter_id)
        while (message := await self._last(subject)) is not None:
            await self.erase(message.sequence)

    async def update(self, letter: Letter, reason: str) -> None:
        """Say why a redrive of a letter has failed; a letter that was discarded is kept again."""
        changed = replace(letter, reason=reason, redriven_at=datetime.now(UTC))
        subject = letter_subject(letter.id)
        await publish(
            self._js, subject, write_letter(changed), {"Nats-Msg-Id": f"letter-{new_id()}"}
        )
        await self.erase(letter.position)

    async def ask(self, letter_id: str) -> bool:
        """Have a letter worked off again; False when that has been asked for already."""
        body = {"id": str(new_id()), "at": datetime.now(UTC).isoformat()}
        expected = {"Nats-Expected-Last-Subject-Sequence": "0"}
        try:
            await publish(self._js, order_subject(letter_id), json.dumps(body).encode(), expected)
        except WrongSequence:
            return False  # or it is our own, and its acknowledgement was lost
        return True

    async def is_asked(self, letter_id: str) -> bool:
        """Whether an order for a letter waits."""
        return await self._last(order_subject(letter_id)) is not None

    async def erase(self, position: int) -> None:
        """Erase one message of the stream; it need not exist."""

        async def attempt() -> None:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await self._js.delete_msg(DEAD_LETTERS, position)
            except NotFoundError:
                return
            except APIError as error:
                if error.err_code != _GONE:
                    raise

        await with_retries(self._client, attempt)

    async def _last(self, subject: str) -> StoredMessage | None:
        async def attempt() -> StoredMessage | None:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    raw = await self._js.get_last_msg(DEAD_LETTERS, subject)
            except NotFoundError:
                return None
            return StoredMessage(subject, raw.seq or 0, raw.headers or {}, raw.data or b"")

        return await with_retries(self._client, attempt)
