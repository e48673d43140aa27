"""Pages while leads keep coming, and a list that several replicas agree on."""

import asyncio
from typing import Any

import pytest

from tests.integration.leads.world import Attorney, World


async def pages(attorney: Attorney, between: Any, **query: Any) -> list[str]:
    """Follow the cursor to the end, doing something between the pages."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        answer = await attorney.get("/leads", params=params)
        assert answer.status == 200, await answer.text()
        body = await answer.json()
        found += [item["id"] for item in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            return found
        await between()


@pytest.mark.parametrize("sort", ["-submitted_at", "submitted_at", "last_name", "-email"])
async def test_pages_are_complete_and_stable_while_leads_arrive(world: World, sort: str) -> None:
    lena = await world.attorney(await world.replica())
    there_before = {
        str(await world.submit("A", f"N{n % 3}", f"a{n % 4}@example.org")) for n in range(17)
    }
    await world.level(lena)

    async def another() -> None:
        await world.submit("B", "N1", "a1@example.org")
        await world.level(lena)

    found = await pages(lena, another, sort=sort, limit=4)

    assert len(found) == len(set(found))
    assert there_before <= set(found)


async def test_a_cursor_works_at_another_replica_but_not_for_another_query(world: World) -> None:
    lena = await world.attorney(await world.replica())
    there = lena.at(await world.replica())
    for _ in range(3):
        await world.submit()
    await asyncio.gather(world.level(lena), world.level(there))
    first = await (await lena.get("/leads", params={"limit": 2})).json()
    cursor = first["next_cursor"]
    rest = await there.get("/leads", params={"limit": 200, "cursor": cursor})
    other = await there.get("/leads", params={"sort": "email", "cursor": cursor})
    body = await rest.json()

    assert len(body["items"]) == 1
    assert body["items"][0]["id"] not in {item["id"] for item in first["items"]}
    assert other.status == 422
    assert (await other.json())["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "status=DONE",
        "sort=name",
        "cursor=x",
        "nothing=1",
        "submitted_from=yesterday",
        "submitted_to=2026-01-01T00:00:00",
        "limit=1&limit=2",
        "submitted_from=0001-01-01T00:00:00%2B14:00",
    ],
)
async def test_a_bad_query_is_refused_by_name(world: World, query: str) -> None:
    lena = await world.attorney(await world.replica())
    answer = await lena.get(f"/leads?{query}")

    assert answer.status == 422
    assert (await answer.json())["errors"][0]["field"] == query.split("=", maxsplit=1)[0]
