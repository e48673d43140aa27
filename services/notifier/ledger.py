"""The ledger of mails that are done with, in the KV bucket MAIL_LEDGER.

It is what keeps a mail from being sent again when a message is delivered again. Its keys and
values hold no address and no name.
"""

import hashlib
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.chassis.buckets import Entry
from services.notifier.policy import Mail

BUCKET = "MAIL_LEDGER"
_HASH_LENGTH = 16


class LedgerBucket(Protocol):
    """What the ledger needs of ``libs.chassis.buckets.Bucket``."""

    async def get(self, key: str) -> Entry | None:
        """See Bucket."""
        ...

    async def put(self, key: str, value: bytes) -> int:
        """See Bucket."""
        ...

    async def any_under(self, prefix: str) -> bool:
        """Whether any key begins with ``<prefix>.``; never stale."""
        ...


class Outcome(BaseModel):
    """How a mail ended.

    Attributes:
        state: ``sent``: the server took it; ``failed``: it never will.
        at: when that was, UTC.
        smtp_reply: the server's words without any address.
        reason: why it failed.
        attempts: which attempt it was.
    """

    model_config = ConfigDict(frozen=True)

    state: Literal["sent", "failed"]
    message_id: str
    at: datetime
    smtp_code: int | None = None
    smtp_reply: str | None = None
    reason: str | None = None
    attempts: int = 1


class Ledger:
    """What has become of each mail; every call may raise StoreUnavailable."""

    def __init__(self, bucket: LedgerBucket) -> None:
        self._bucket = bucket

    async def find(self, occasion: UUID, mail: Mail) -> Outcome | None:
        """The mail's outcome, or None while it has none."""
        entry = await self._bucket.get(ledger_key(occasion, mail))
        return None if entry is None else Outcome.model_validate_json(entry.value)

    async def knows(self, occasion: UUID) -> bool:
        """Whether any mail of an occasion has an outcome: one question for all of its mails."""
        return await self._bucket.any_under(str(occasion))

    async def record(self, occasion: UUID, mail: Mail, outcome: Outcome) -> None:
        """Keep the mail's outcome."""
        value = outcome.model_dump_json(exclude_none=True).encode()
        await self._bucket.put(ledger_key(occasion, mail), value)


def ledger_key(occasion: UUID, mail: Mail) -> str:
    """``<id of the event or the redrive>.<template>.<hash of the recipient>``."""
    return f"{occasion}.{mail.template}.{recipient_hash(mail)}"


def recipient_hash(mail: Mail) -> str:
    """Tells an event's recipients apart without naming them."""
    return hashlib.sha256(mail.recipient.encode()).hexdigest()[:_HASH_LENGTH]
