"""API keys over HTTP: made by an administrator, used by a machine, revoked within seconds."""

import asyncio
from typing import Any

import pytest

from services.leads.auth.permissions import Role
from tests.integration.leads.world import Attorney, Client, World, until

BOSS = ("boss@firm.example", "Ina Boss")
SECONDS = 8
"""More than a replica believes in a key without looking again."""


async def boss_at(world: World, client: Client) -> Attorney:
    return await world.attorney(client, *BOSS, role=Role.ADMIN)


async def make(boss: Attorney, *scopes: str, **more: Any) -> tuple[dict[str, Any], Attorney]:
    wanted = {"name": "Night import", "scopes": scopes, **more}
    answer = await boss.post("/api-keys", json=wanted)
    made = await answer.json()
    assert answer.status == 201, made
    assert answer.headers["Cache-Control"] == "no-store"
    return made, Attorney(boss.client, made.pop("key"), "")


async def listed(boss: Attorney) -> list[dict[str, Any]]:
    answer = await boss.get("/api-keys")
    assert answer.status == 200
    items: list[dict[str, Any]] = (await answer.json())["items"]
    return items


async def test_a_machine_does_what_its_key_is_for_and_nothing_else(world: World) -> None:
    client = await world.replica()
    boss = await boss_at(world, client)
    lead = await world.submit()
    made, machine = await make(boss, "leads:read", "leads:reach-out")
    await world.level(machine)

    assert (await machine.get(f"/leads/{lead}")).status == 200
    assert (await machine.get(f"/leads/{lead}/resume")).status == 403
    for method, path in (("get", "/api-keys"), ("get", "/auth/sessions"), ("post", "/api-keys")):
        assert (await getattr(machine, method)(path)).status == 403
    assert (await machine.post(f"/leads/{lead}/assignee/me")).status == 403
    done = await machine.post(f"/leads/{lead}/reached-out")
    history = await (await boss.get(f"/leads/{lead}/history")).json()
    by = {"id": made["id"], "name": "Night import"}
    assert (await done.json())["reached_out_by"] == by
    assert history["items"][-1]["actor"] == {"kind": "api-key", **by}


async def test_a_key_is_shown_once_and_listed_without_it(world: World) -> None:
    client = await world.replica()
    boss = await boss_at(world, client)
    made, machine = await make(boss, "leads:read", expires_in_days=7)
    (before,) = await listed(boss)
    assert (before, before["last_used_at"]) == (made, None)
    assert before["created_by"] == {"id": boss.account_id, "name": "Ina Boss"}
    await machine.get("/leads")

    async def use_is_seen() -> bool:
        (after,) = await listed(boss)
        return bool(after["last_used_at"])

    await until(use_is_seen)
    assert machine.access.split("_")[2] not in await (await boss.get("/api-keys")).text()


async def test_a_revoked_key_is_over_at_once_here_and_within_seconds_elsewhere(
    world: World,
) -> None:
    here, there = await asyncio.gather(world.replica(), world.replica())
    boss = await boss_at(world, here)
    made, machine = await make(boss, "leads:read")
    assert (await machine.at(there).get("/leads")).status == 200
    assert (await boss.delete(f"/api-keys/{made['id']}")).status == 204
    answer = await machine.get("/leads")

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    async def is_over_there() -> bool:
        return bool((await machine.at(there).get("/leads")).status == 401)

    await until(is_over_there, SECONDS)
    assert (await listed(boss))[0]["revoked_at"]
    unknown = "0190b1a2-0000-7000-8000-000000000001"
    assert (await boss.delete(f"/api-keys/{unknown}")).status == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "x", "scopes": ["accounts:manage"]},
        {"name": "x", "scopes": ["api-keys:manage"]},
        {"name": "x", "scopes": ["self"]},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": []},
        {"name": "", "scopes": ["leads:read"]},
        {"name": "x", "scopes": ["leads:read"], "expires_in_days": 366},
        {"name": "x", "scopes": ["leads:read"], "expires_in_days": 0},
        {"name": "x", "scopes": ["leads:read"], "expires_in_days": None},
    ],
)
async def test_what_a_key_cannot_be_is_refused(world: World, wanted: dict[str, Any]) -> None:
    boss = await boss_at(world, await world.replica())
    answer = await boss.post("/api-keys", json=wanted)

    assert answer.status == 422
    assert await listed(boss) == []


async def test_only_administrators_have_anything_to_do_with_keys(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    wanted = {"name": "x", "scopes": ["leads:read"]}

    assert (await lena.post("/api-keys", json=wanted)).status == 403
    assert (await lena.get("/api-keys")).status == 403
    assert (await lena.delete(f"/api-keys/{lena.account_id}")).status == 403
