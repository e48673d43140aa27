"""The form's key is remembered in state, long after JetStream has forgotten message ids."""

from collections.abc import Awaitable, Callable

from nats.js import JetStreamContext

from tests.integration.intake.conftest import Replica, submitted
from tests.support.window import shorten_windows, until_forgotten
from tests.unit.intake.forms import whole


async def test_a_key_still_means_the_same_lead_when_message_ids_are_forgotten(
    start: Callable[..., Awaitable[Replica]], js: JetStreamContext
) -> None:
    await shorten_windows(js)
    here, there = await start(), await start()
    first = await here.submit(Idempotency_Key="k-1")
    await until_forgotten(js)
    again = await there.submit(Idempotency_Key="k-1")
    other = await there.submit(whole(first_name="Somebody else"), Idempotency_Key="k-1")

    assert (first.status, again.status, other.status) == (202, 202, 422)
    assert await again.json() == await first.json()
    assert again.headers["Leadlog-Position"] == first.headers["Leadlog-Position"]
    assert len(await submitted(js)) == 1
