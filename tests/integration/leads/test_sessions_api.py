"""One's logins over HTTP: seen, ended one by one or all at once, on every replica."""

import asyncio

import pytest

from services.leads.auth.permissions import Role
from tests.integration.leads.world import PASSWORD, Attorney, Client, World, log_in, renew, until

LENA = "lena@firm.example"
SECONDS = 8
"""More than a replica believes in a session without looking again."""


async def another_login(client: Client, of: Attorney, agent: str = "") -> Attorney:
    form = {"grant_type": "password", "username": LENA, "password": PASSWORD}
    answer = await client.post("/auth/token", data=form, headers={"User-Agent": agent})
    tokens = await answer.json()
    return Attorney(client, tokens["access_token"], tokens["refresh_token"], of.account_id)


async def is_over(login: Attorney) -> bool:
    return bool((await login.get("/auth/sessions")).status == 401)


async def listed(login: Attorney) -> list[dict[str, object]]:
    answer = await login.get("/auth/sessions")
    assert answer.status == 200, await answer.text()
    items: list[dict[str, object]] = (await answer.json())["items"]
    return items


async def test_a_login_is_listed_with_where_and_with_what(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    await world.attorney(client, "omar@firm.example", "Omar Haddad")
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    await another_login(client, lena, firefox)
    other, own = await listed(lena)

    assert (own["current"], other["current"]) == (True, False)
    assert (other["agent"], other["address"]) == ("Firefox on Linux", "127.0.0.1")
    assert other["methods"] == ["pwd"]
    assert await renew(client, lena.refresh)
    (first, _) = await listed(lena)
    assert first["id"] == own["id"]
    assert str(first["last_used_at"]) > str(first["created_at"])


async def test_an_ended_login_is_over_at_once_here_and_within_seconds_elsewhere(
    world: World,
) -> None:
    here, there = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(here)
    lost = await another_login(here, lena)
    assert not await is_over(lost.at(there))
    (session,) = [one for one in await listed(lena) if not one["current"]]

    assert (await lena.delete(f"/auth/sessions/{session['id']}")).status == 204
    assert await is_over(lost)
    await until(lambda: is_over(lost.at(there)), SECONDS)
    assert (await renew(there, lost.refresh)).status == 400
    assert not await is_over(lena)
    assert (await lena.delete(f"/auth/sessions/{session['id']}")).status == 404


async def test_nobody_ends_a_login_of_somebody_else(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    omar = await world.attorney(client, "omar@firm.example", "Omar Haddad")
    (session,) = await listed(omar)

    assert (await lena.delete(f"/auth/sessions/{session['id']}")).status == 404
    assert (await lena.delete(f"/accounts/{omar.account_id}/sessions")).status == 403
    assert not await is_over(omar)


async def test_all_other_logins_end_and_ones_own_goes_on(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    others = [await another_login(client, lena) for _ in range(3)]

    assert (await lena.delete("/auth/sessions")).status == 204
    assert [await is_over(one) for one in others] == [True] * 3
    assert len(await listed(lena)) == 1
    assert (await renew(client, lena.refresh)).status == 200
    assert (await renew(client, others[0].refresh)).status == 400


async def test_an_administrator_ends_all_logins_of_an_account(world: World) -> None:
    here, there = await asyncio.gather(world.replica(), world.replica())
    boss = await world.attorney(here, "boss@firm.example", "Ina Boss", role=Role.ADMIN)
    lena = await world.attorney(there)
    nobody = "0190b1a2-0000-7000-8000-000000000001"

    assert (await boss.delete(f"/accounts/{lena.account_id}/sessions")).status == 204
    await until(lambda: is_over(lena), SECONDS)
    assert (await renew(there, lena.refresh)).status == 400
    assert (await log_in(there, LENA, PASSWORD)).status == 200
    assert (await boss.delete(f"/accounts/{nobody}/sessions")).status == 404


@pytest.mark.parametrize("kind", ["refresh", "access"])
async def test_a_token_ends_its_login(world: World, kind: str) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    for token in ("made.up", "x", "*.>", ""):
        assert (await client.post("/auth/revoke", data={"token": token})).status == 200
    assert not await is_over(lena)
    token = lena.refresh if kind == "refresh" else lena.access
    answer = await client.post("/auth/revoke", data={"token": token, "token_type_hint": "x"})

    assert answer.status == 200
    assert await is_over(lena)
    assert (await renew(client, lena.refresh)).status == 400


async def test_a_refresh_token_without_its_secret_ends_nothing(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    session_id = lena.refresh.rpartition(".")[0]
    for token in (session_id, f"{session_id}.", f"{session_id}.x"):
        await client.post("/auth/revoke", data={"token": token})

    assert not await is_over(lena)
