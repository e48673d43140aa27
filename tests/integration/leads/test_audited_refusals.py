"""Who is refused is on record, unless it was ordinary; a flood is counted, not written down."""

import asyncio
from typing import Any

from libs.events import new_id
from tests.integration.leads.test_api_keys_api import boss_at, make
from tests.integration.leads.test_assignment_api import bound
from tests.integration.leads.test_audited_requests import entries
from tests.integration.leads.test_login_api import forged
from tests.integration.leads.world import Client, World, log_in, renew, until


async def noted(world: World, action: str, count: int) -> list[dict[str, Any]]:
    """The refusals of this kind, once there are so many: they are written after the answer."""

    async def found() -> list[dict[str, Any]]:
        return [
            one
            for one in await entries(world)
            if one["action"] == action and one["outcome"] == "refused"
        ]

    async def enough() -> bool:
        return len(await found()) >= count

    await until(enough)
    return await found()


async def status_with(client: Client, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return int((await client.get("/leads", headers=headers)).status)


async def test_a_forged_token_is_on_record_and_a_missing_one_is_not(world: World) -> None:
    client = await world.replica()
    assert (await client.get("/leads")).status == 401
    assert await status_with(client, forged()) == 401

    [refused] = await noted(world, "access.token-refused", 1)
    assert refused["actor"] == "anonymous"
    assert "target" not in refused
    assert refused["details"] == {"reason": "it was not signed here"}
    assert refused["address"] == "127.0.0.0/24"


async def test_a_token_whose_session_is_over_names_its_account(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    assert (await lena.post("/auth/logout")).status == 204
    assert await status_with(client, lena.access) == 401

    [refused] = await noted(world, "access.token-refused", 1)
    assert refused["target"] == f"account:{lena.account_id}"
    assert refused["details"] == {"reason": "its session is over"}


async def test_a_token_that_came_to_its_end_is_nothing_to_note(world: World) -> None:
    client = await world.replica(access_token_seconds=1)
    lena = await world.attorney(client)

    async def is_over() -> bool:
        return await status_with(client, lena.access) == 401

    await until(is_over)
    await status_with(client, forged())
    [refused] = await noted(world, "access.token-refused", 1)
    assert refused["details"] == {"reason": "it was not signed here"}  # and not the expired one


async def test_a_flood_leaves_five_entries_of_its_network(world: World) -> None:
    client = await world.replica()
    statuses = await asyncio.gather(*(status_with(client, "x") for _ in range(200)))
    assert set(statuses) == {401}
    lena = await world.attorney(client)  # its entry is behind those of the flood
    assert (await lena.get("/leads")).status == 200
    assert len(await noted(world, "access.token-refused", 5)) == 5


async def test_a_slowed_down_sign_in_is_on_record(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    answers = [await log_in(client, "lena@firm.example", "a guess") for _ in range(7)]
    assert answers[-1].status == 429

    *_, slowed = await noted(world, "sign-in.password", 7)
    assert slowed["details"] == {"reason": "slowed-down"}
    assert slowed["target"] == f"account:{lena.account_id}"


async def test_a_slowed_down_change_of_the_password_is_on_record(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    wrong = {"current_password": "x", "new_password": "y" * 15}
    statuses = [(await lena.post("/auth/password", json=wrong)).status for _ in range(7)]
    assert statuses[-1] == 429

    *_, slowed = await noted(world, "account.password-changed", 7)
    assert slowed["details"] == {"reason": "slowed-down"}
    assert slowed["actor"] == f"account:{lena.account_id}"


async def test_a_refresh_token_that_was_used_before_is_on_record_once(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    second = await (await renew(client, lena.refresh)).json()
    third = await (await renew(client, second["refresh_token"])).json()
    for stolen in (lena.refresh, lena.refresh, third["refresh_token"]):
        assert (await renew(client, stolen)).status == 400

    [reused] = await noted(world, "session.token-reused", 1)
    assert reused["target"] == f"account:{lena.account_id}"
    assert reused["details"] == {"session": lena.refresh.split(".")[1]}
    assert reused["actor"] == "anonymous"


async def test_who_may_not_do_something_is_on_record(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead_id = await world.submit()
    await world.level(lena)
    for path in ("/accounts", f"/leads/{lead_id}/assignee"):
        answer = await (lena.get(path) if path == "/accounts" else lena.put(path, json={}))
        assert answer.status == 403, path

    first, second = await noted(world, "access.refused", 2)
    assert {first["actor"], second["actor"]} == {f"account:{lena.account_id}"}
    assert first["details"] == {"needed": "accounts:manage"}
    assert second["details"] == {"needed": "leads:assign"}


async def test_a_revoked_api_key_is_on_record_by_its_id(world: World) -> None:
    client = await world.replica()
    boss = await boss_at(world, client)
    made, machine = await make(boss, "leads:read")
    assert (await boss.delete(f"/api-keys/{made['id']}")).status == 204
    assert await status_with(client, machine.access) == 401

    [refused] = await noted(world, "access.token-refused", 1)
    assert refused["target"] == f"api-key:{made['id']}"
    assert machine.access.split("_")[2] not in str(await entries(world))


async def test_a_lead_that_is_hidden_from_who_asks_is_on_record(world: World) -> None:
    client = await world.replica()
    nora = await bound(world, client)
    hidden, unknown = await world.submit(), new_id()
    await world.level(nora)
    paths = [f"/leads/{hidden}", f"/leads/{hidden}/history", f"/leads/{unknown}"]
    assert [(await nora.get(path)).status for path in paths] == [404, 404, 404]
    assert (await nora.post(f"/leads/{hidden}/reached-out")).status == 404

    refused = await noted(world, "lead.not-found", 4)
    assert sorted(one["target"] for one in refused) == sorted(
        [f"lead:{hidden}"] * 3 + [f"lead:{unknown}"]
    )
    assert {one["actor"] for one in refused} == {f"account:{nora.account_id}"}
