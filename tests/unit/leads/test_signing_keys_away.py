"""While the keys cannot be read, a good token is not called forged."""

import asyncio

import pytest

from libs.chassis.buckets import Entry
from libs.chassis.errors import StoreUnavailable
from services.leads.auth.signing_keys import KeyRing
from tests.unit.leads.memory_bucket import MemoryBucket


class _BucketAway(MemoryBucket):
    """Answers only while it is not away, and counts who asked."""

    away = True
    asked = 0

    async def get(self, key: str) -> Entry | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("nobody is there")
        return await super().get(key)


@pytest.fixture
async def started_while_away() -> tuple[KeyRing, _BucketAway, str]:
    """A replica that has just started; the key's name, which another replica made."""
    bucket = _BucketAway()
    bucket.away = False
    kid = (await KeyRing(bucket).current()).kid
    bucket.away, bucket.asked = True, 0
    return KeyRing(bucket), bucket, kid


async def test_each_look_for_a_key_fails_as_long_as_the_bucket_is_away(
    started_while_away: tuple[KeyRing, _BucketAway, str],
) -> None:
    ring, bucket, kid = started_while_away
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await ring.verifier(kid)
    bucket.away = False
    found = await ring.verifier(kid)
    assert found is not None
    assert found.kid == kid


async def test_many_at_once_share_one_look(
    started_while_away: tuple[KeyRing, _BucketAway, str],
) -> None:
    ring, bucket, kid = started_while_away
    answers = await asyncio.gather(*(ring.verifier(kid) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    assert bucket.asked == 1
