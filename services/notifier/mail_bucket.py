"""The ledger's bucket: a KV bucket that can also be asked about many keys at once."""

import asyncio

from nats.js.errors import NotFoundError

from libs.chassis.buckets import Bucket, key_subject
from libs.chassis.jetstream import ATTEMPT_SECONDS, with_retries


class MailBucket(Bucket):
    """See ``Bucket``; keys are made of tokens with dots between them."""

    async def any_under(self, prefix: str) -> bool:
        """Whether any key begins with ``<prefix>.``, deleted ones too.

        The leader answers, so a no is never stale. It costs the server no search: it keeps
        its subjects in a tree.
        """
        subject = f"{key_subject(self._name, prefix)}.>"

        async def attempt() -> bool:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await self._js.get_msg(self._stream, seq=1, subject=subject, next=True)
            except NotFoundError:
                return False
            return True

        return await with_retries(self._client, attempt)
