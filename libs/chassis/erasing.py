"""Erasing single messages of a stream so that their bytes are overwritten on disk.

JetStream's secure delete (``STREAM.MSG.DELETE`` without ``no_erase``) writes over the record; a
purge, a rollup or an expiry only forgets it, and it stays readable in the block file.
"""

import asyncio
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from libs.chassis.jetstream import ATTEMPT_SECONDS, StoredMessage, with_retries

_GONE: Final = 10057
"""The error code for deleting a message that is not there: a repeat's answer."""


async def erase_message(js: JetStreamContext, stream: str, sequence: int) -> None:
    """Erase one message; it need not exist.

    Raises:
        StoreUnavailable: JetStream does not answer; it may be erased or not.
    """

    async def attempt() -> None:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await js.delete_msg(stream, sequence)
        except NotFoundError:
            return
        except APIError as error:
            if error.err_code != _GONE:
                raise

    await with_retries(js._nc, attempt)  # noqa: SLF001 - nats-py has no public way from a context


async def next_message(
    js: JetStreamContext, stream: str, subject_filter: str, first: int
) -> StoredMessage | None:
    """The first message that matches, from a sequence on, as the leader has it.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """

    async def attempt() -> StoredMessage | None:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                raw = await js.get_msg(stream, seq=first, subject=subject_filter, next=True)
        except NotFoundError:
            return None
        return StoredMessage(raw.subject or "", raw.seq or 0, raw.headers or {}, raw.data or b"")

    return await with_retries(js._nc, attempt)  # noqa: SLF001 - as above
