"""The ledger on a real server: one question for all mails of an event."""

from uuid import uuid4

import pytest
from nats.js import JetStreamContext

from services.notifier.ledger import BUCKET
from services.notifier.mail_bucket import MailBucket


@pytest.fixture
def bucket(js: JetStreamContext) -> MailBucket:
    return MailBucket(js, BUCKET)


async def test_an_occasion_is_known_once_one_of_its_mails_is(bucket: MailBucket) -> None:
    ours, other = str(uuid4()), str(uuid4())
    assert not await bucket.any_under(ours)
    await bucket.put(f"{other}.attorney_alert.00", b"{}")
    assert not await bucket.any_under(ours)
    await bucket.put(f"{ours}.attorney_alert.00", b"{}")
    assert await bucket.any_under(ours)


async def test_neither_a_part_of_an_id_nor_a_wildcard_stands_for_one(bucket: MailBucket) -> None:
    occasion = str(uuid4())
    await bucket.put(f"{occasion}.attorney_alert.00", b"{}")
    assert not await bucket.any_under(occasion[:-1])
    for wildcard in ("*", ">"):
        with pytest.raises(ValueError, match="key"):
            await bucket.any_under(wildcard)
