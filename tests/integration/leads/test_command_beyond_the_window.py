"""A command's key is remembered in the log, long after JetStream has forgotten message ids."""

from tests.integration.leads.world import World
from tests.support.window import shorten_windows, until_forgotten


async def test_a_command_sent_again_much_later_changes_nothing(world: World) -> None:
    await shorten_windows(world.js)
    lena = await world.attorney(await world.replica())
    there = lena.at(await world.replica())
    lead, key = await world.submit(), {"Idempotency-Key": "k-1"}
    first = await lena.post(f"/leads/{lead}/reached-out", key, json={"note": "a"})
    await until_forgotten(world.js)
    again = await there.post(f"/leads/{lead}/reached-out", key, json={"note": "a"})
    other = await there.post(f"/leads/{lead}/reached-out", key, json={"note": "b"})

    assert (first.status, again.status, other.status) == (200, 200, 422)
    assert await again.json() == await first.json()
    assert await world.handled(lead) == 1
