"""Challenges for somebody who is not signed in: bounded, since each is written to disk."""

from services.leads.auth.mfa.allowance import PER_MINUTE
from tests.integration.leads.world import World


async def test_an_address_gets_so_many_challenges_a_minute_and_others_still_sign_in(
    world: World,
) -> None:
    client = await world.replica(trusted_proxies=["127.0.0.1"])
    path = "/auth/token/passkey/options"
    mine = {"X-Forwarded-For": "192.0.2.1"}
    answers = [(await client.post(path, json={}, headers=mine)).status for _ in range(PER_MINUTE)]
    assert answers == [201] * PER_MINUTE
    refused = await client.post(path, json={}, headers=mine)
    assert (refused.status, 0 < int(refused.headers["Retry-After"]) <= 60) == (429, True)
    other = await client.post(path, json={}, headers={"X-Forwarded-For": "192.0.2.2"})
    assert other.status == 201
