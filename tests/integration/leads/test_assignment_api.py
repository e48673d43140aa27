"""Whose lead it is, and that an account with `assigned only` sees no other lead anywhere."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from services.leads.auth.accounts import set_role
from services.leads.auth.permissions import Role
from services.leads.routes.api import api
from tests.integration.leads.world import PASSWORD, Attorney, Client, World, log_in, until

BOSS = ("boss@firm.example", "Ina Boss")
NORA = "nora@firm.example"
UNKNOWN = "0190b1a2-0000-7000-8000-000000000001"


async def boss_at(world: World, client: Client) -> Attorney:
    return await world.attorney(client, *BOSS, role=Role.ADMIN)


async def bound(world: World, client: Client) -> Attorney:
    """Somebody who sees only what is assigned to them."""
    nora = await world.attorney(client, NORA, "Nora New")
    await set_role(world.accounts, NORA, Role.ATTORNEY, assigned_only=True)
    tokens = await (await log_in(client, NORA, PASSWORD)).json()
    return Attorney(client, tokens["access_token"], tokens["refresh_token"], nora.account_id)


async def give(boss: Attorney, lead: UUID, to: Attorney | None, **more: Any) -> Any:
    wanted = {"account_id": to.account_id if to else None, **more}
    return await boss.put(f"/leads/{lead}/assignee", json=wanted)


async def ids(who: Attorney, query: str = "") -> set[str]:
    answer = await who.get(f"/leads?{query}")
    assert answer.status == 200, await answer.text()
    return {item["id"] for item in (await answer.json())["items"]}


async def test_a_lead_is_given_seen_and_taken_away(world: World) -> None:
    client = await world.replica()
    boss, lena = await boss_at(world, client), await world.attorney(client)
    lead, other = await world.submit(), await world.submit()
    answers = [await give(boss, lead, lena) for _ in range(2)]
    bodies = [await answer.json() for answer in answers]
    await world.level(lena)

    assert [body.pop("already_assigned") for body in bodies] == [False, True]
    assert bodies[0] == bodies[1]
    assert bodies[0]["assigned_to"] == {"id": lena.account_id, "name": "Lena Weber"}
    assert await (await lena.get(f"/leads/{lead}")).json() == bodies[0]
    for query in ("me", lena.account_id, lena.account_id.upper()):
        assert await ids(lena, f"assigned_to={query}") == {str(lead)}
    assert await ids(boss, "assigned_to=me") == set()
    assert await ids(boss, "assigned_to=none") == {str(other)}
    assert await ids(boss) == {str(lead), str(other)}
    assert (await boss.get("/leads?assigned_to=somebody")).status == 422
    assert (await give(boss, lead, None)).status == 200
    await world.level(lena)
    assert await ids(boss, "assigned_to=none") == {str(lead), str(other)}
    history = (await (await lena.get(f"/leads/{lead}/history")).json())["items"][1:]
    assert [(fact["type"], fact["details"]["assignee_name"]) for fact in history] == [
        ("LeadAssigned", "Lena Weber"),
        ("LeadAssigned", None),
    ]


async def test_only_administrators_say_whose_a_lead_is(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead = await world.submit()

    assert (await give(lena, lead, lena)).status == 403
    assert await world.handled(lead) == 0


async def test_of_two_who_take_a_lead_one_gets_it(world: World) -> None:
    here, there = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(here)
    omar = await world.attorney(there, "omar@firm.example", "Omar Haddad")
    for _ in range(5):
        lead = await world.submit()
        answers = await asyncio.gather(
            *(who.post(f"/leads/{lead}/assignee/me") for who in (lena, omar, lena, omar))
        )
        by_status = sorted(answer.status for answer in answers)
        lost = next(answer for answer in answers if answer.status == 409)

        assert by_status == [200, 200, 409, 409]
        assert (await lost.json())["type"] == "urn:leadlog:problem:assigned-otherwise"
        assert await world.handled(lead) == 1


async def test_a_lead_changes_hands_only_if_it_is_whose_one_thinks(world: World) -> None:
    client = await world.replica()
    boss, lena = await boss_at(world, client), await world.attorney(client)
    omar = await world.attorney(client, "omar@firm.example", "Omar Haddad")
    lead = await world.submit()

    assert (await give(boss, lead, lena, instead_of=omar.account_id)).status == 409
    assert (await give(boss, lead, lena, instead_of="none")).status == 200
    assert (await give(boss, lead, omar, instead_of="none")).status == 409
    assert (await give(boss, lead, omar, instead_of=lena.account_id)).status == 200
    assert (await omar.post(f"/leads/{lead}/assignee/me")).status == 200
    assert await world.handled(lead) == 2


async def test_the_same_key_gets_the_same_answer(world: World) -> None:
    client = await world.replica()
    boss, lena = await boss_at(world, client), await world.attorney(client)
    lead, key = await world.submit(), {"Idempotency-Key": "k-1"}
    path, wanted = f"/leads/{lead}/assignee", {"account_id": lena.account_id}
    first = await boss.put(path, key, json=wanted)
    again = await boss.put(path, key, json=wanted)
    other = await boss.put(path, key, json={"account_id": None})
    contact = await boss.post(f"/leads/{lead}/reached-out", key)

    assert await again.json() == await first.json()
    assert [answer.status for answer in (again, other, contact)] == [200, 422, 422]
    assert await world.handled(lead) == 1


@pytest.mark.parametrize("account", [UNKNOWN, "nobody", 7])
async def test_a_lead_is_given_to_accounts_only(world: World, account: object) -> None:
    boss = await boss_at(world, await world.replica())
    lead = await world.submit()
    answer = await boss.put(f"/leads/{lead}/assignee", json={"account_id": account})

    assert answer.status == 422
    assert [error["field"] for error in (await answer.json())["errors"]] == ["account_id"]
    assert (await give(boss, UUID(UNKNOWN), None)).status == 404


async def test_who_sees_only_their_own_finds_no_other_lead_on_any_route(world: World) -> None:
    client = await world.replica()
    boss, nora = await boss_at(world, client), await bound(world, client)
    mine, others, nobodys = [await world.submit() for _ in range(3)]
    await give(boss, mine, nora)
    await give(boss, others, boss)
    await world.level(nora)
    routes = [
        (one.method.lower(), one.path)
        for one in api.operations
        if one.path.startswith("/leads/{id}")
    ]
    assert len(routes) >= 6

    for method, path in routes:
        body = {"json": {"account_id": None}} if method == "put" else {}
        answers = {}
        for lead in (UUID(UNKNOWN), others, nobodys):
            answer = await getattr(nora, method)(path.replace("{id}", str(lead)), **body)
            problem = await answer.json()
            problem.pop("request_id", None)
            problem.pop("instance", None)
            answers[answer.status, str(sorted(problem.items()))] = answer.status
        # Another's lead and one that does not exist cannot be told apart.
        assert set(answers.values()) in ({404}, {403}), (method, path, answers)
        assert len(answers) == 1, (method, path)
        if set(answers.values()) == {403}:
            continue
        assert (await getattr(nora, method)(path.replace("{id}", str(mine)))).status == 200
    assert [await world.handled(lead) for lead in (others, nobodys)] == [1, 0]


async def test_who_sees_only_their_own_lists_and_finds_nothing_else(world: World) -> None:
    client = await world.replica()
    boss, nora = await boss_at(world, client), await bound(world, client)
    mine = await world.submit("Ada", "Lovelace", "ada@example.org")
    await world.submit("Ada", "Byron", "ada@example.org")
    await give(boss, mine, nora)
    await world.level(nora)
    queries = ["", "q=ada", "email=ada@example.org", "status=PENDING", "sort=email", "limit=1"]

    for query in (*queries, "assigned_to=me", f"assigned_to={nora.account_id}"):
        assert await ids(nora, query) == {str(mine)}, query
    for query in ("q=byron", "assigned_to=none", f"assigned_to={boss.account_id}"):
        assert await ids(nora, query) == set(), query
    page = await (await nora.get("/leads?limit=1")).json()
    assert page["next_cursor"] is None
    theirs = await (await boss.get("/leads?limit=1")).json()
    assert (await nora.get(f"/leads?limit=1&cursor={theirs['next_cursor']}")).status == 422

    await give(boss, mine, boss)
    await world.level(nora)
    assert await ids(nora) == set()
    assert (await nora.post(f"/leads/{mine}/reached-out")).status == 404
    assert await world.handled(mine) == 2


async def test_the_scope_works_within_seconds_of_being_set(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    await world.submit()
    await world.level(lena)
    assert len(await ids(lena)) == 1
    await set_role(world.accounts, "lena@firm.example", Role.ATTORNEY, assigned_only=True)

    async def sees_nothing() -> bool:
        return not await ids(lena)

    await until(sees_nothing, 8)
