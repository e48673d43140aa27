"""`POST /leads/{id}/reached-out`: once, whoever asks, however often, at whichever replica."""

import asyncio
from typing import Any

import pytest

from tests.integration.leads.world import World


async def test_two_attorneys_at_two_replicas_make_one_fact_and_both_hear_the_truth(
    world: World,
) -> None:
    first, second = await asyncio.gather(world.replica("a"), world.replica("b"))
    lena = await world.attorney(first)
    omar = await world.attorney(second, "omar@firm.example", "Omar Haddad")
    for _ in range(10):
        lead = await world.submit()
        answers = await asyncio.gather(
            *(
                who.post(f"/leads/{lead}/reached-out", json={"note": who.account_id})
                for who in (lena, omar, lena, omar)
            )
        )
        bodies = [await answer.json() for answer in answers]

        assert [answer.status for answer in answers] == [200] * 4
        assert sorted(body.pop("already_reached_out") for body in bodies) == [False, *[True] * 3]
        assert all(body == bodies[0] for body in bodies)
        assert bodies[0]["note"] == bodies[0]["reached_out_by"]["id"]
        assert await world.handled(lead) == 1


async def test_a_lead_that_was_reached_out_to_stays_as_it_is(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    omar = await world.attorney(client, "omar@firm.example", "Omar Haddad")
    lead = await world.submit()
    first = await (await lena.post(f"/leads/{lead}/reached-out", json={"channel": "email"})).json()
    second = await omar.post(f"/leads/{lead}/reached-out", json={"channel": "meeting"})
    body = await second.json()

    assert second.status == 200
    assert body == {**first, "already_reached_out": True}
    assert body["reached_out_by"]["name"] == "Lena Weber"
    assert await world.handled(lead) == 1


async def test_the_same_key_gets_the_same_answer_at_any_replica(world: World) -> None:
    lena = await world.attorney(await world.replica())
    there = lena.at(await world.replica())
    lead, key = await world.submit(), {"Idempotency-Key": "k-1"}
    first = await lena.post(f"/leads/{lead}/reached-out", key, json={"note": "a"})
    again = await there.post(f"/leads/{lead}/reached-out", key, json={"note": "a"})
    other = await there.post(f"/leads/{lead}/reached-out", key, json={"note": "b"})

    assert await again.json() == await first.json()
    assert (await first.json())["already_reached_out"] is False
    assert again.headers["Leadlog-Position"] == first.headers["Leadlog-Position"]
    assert other.status == 422
    assert (await other.json())["type"] == "urn:leadlog:problem:idempotency-key-reused"
    assert await world.handled(lead) == 1


async def test_the_same_key_at_the_same_moment_happens_once(world: World) -> None:
    lena = await world.attorney(await world.replica())
    lead, key = await world.submit(), {"Idempotency-Key": "k-2"}
    answers = await asyncio.gather(
        *(lena.post(f"/leads/{lead}/reached-out", key, json={"note": "a"}) for _ in range(5))
    )

    assert [answer.status for answer in answers] == [200] * 5
    assert [(await answer.json())["already_reached_out"] for answer in answers] == [False] * 5
    assert await world.handled(lead) == 1


async def test_a_key_means_something_for_one_lead_only(world: World) -> None:
    lena = await world.attorney(await world.replica())
    key = {"Idempotency-Key": "k-3"}
    for _ in range(2):
        lead = await world.submit()
        answer = await lena.post(f"/leads/{lead}/reached-out", key, json={"note": str(lead)})
        assert (await answer.json())["note"] == str(lead)


async def test_nothing_needs_to_be_said(world: World) -> None:
    lena = await world.attorney(await world.replica())
    answer = await lena.post(f"/leads/{await world.submit()}/reached-out")

    assert answer.status == 200
    assert (await answer.json())["channel"] is None


@pytest.mark.parametrize(
    "lead", ["0190b1a2-0000-7000-8000-000000000001", "not-an-id", "*", "..%2f.."]
)
async def test_a_lead_nobody_knows_is_not_found(world: World, lead: str) -> None:
    lena = await world.attorney(await world.replica())
    paths = ("", "/history", "/resume")
    answers = [await lena.get(f"/leads/{lead}{path}") for path in paths]
    answers.append(await lena.post(f"/leads/{lead}/reached-out"))

    assert [answer.status for answer in answers] == [404] * 4
    assert {answer.content_type for answer in answers} == {"application/problem+json"}


BAD_BODIES: list[tuple[dict[str, Any], int, str]] = [
    ({"json": {"note": "x" * 2001}}, 422, "note"),
    ({"json": {"note": "a\x00b"}}, 422, "note"),
    ({"json": {"channel": "pigeon"}}, 422, "channel"),
    ({"json": {"status": "PENDING"}}, 422, "status"),
    ({"json": []}, 422, "body"),
    ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, ""),
    ({"data": {"note": "a"}}, 415, ""),
    ({"headers": {"Idempotency-Key": "a b"}}, 422, "Idempotency-Key"),
    ({"headers": {"Idempotency-Key": "x" * 256}}, 422, "Idempotency-Key"),
]


@pytest.mark.parametrize(("request_", "status", "field"), BAD_BODIES)
async def test_bad_input_is_refused_by_name_and_nothing_happens(
    world: World, request_: dict[str, Any], status: int, field: str
) -> None:
    lena = await world.attorney(await world.replica())
    lead = await world.submit()
    answer = await lena.post(f"/leads/{lead}/reached-out", **request_)
    problem = await answer.json()

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
    assert await world.handled(lead) == 0


async def test_own_writes_can_be_read_at_another_replica(world: World) -> None:
    lena = await world.attorney(await world.replica())
    there = lena.at(await world.replica())
    for _ in range(10):
        lead = await world.submit()
        done = await lena.post(f"/leads/{lead}/reached-out")
        position = {"Leadlog-Position": done.headers["Leadlog-Position"]}
        shown = await there.get(f"/leads/{lead}", position)
        assert (await shown.json())["status"] == "REACHED_OUT"
        assert int(shown.headers["Leadlog-Position"]) >= int(position["Leadlog-Position"])


@pytest.mark.parametrize("position", ["-1", "x", "1.5", "9" * 19, "\u0661"])
async def test_a_position_that_is_none_is_refused(world: World, position: str) -> None:
    lena = await world.attorney(await world.replica())
    answer = await lena.get("/leads", {"Leadlog-Position": position})

    assert answer.status == 422


async def test_a_position_that_does_not_come_is_not_waited_for_for_ever(world: World) -> None:
    lena = await world.attorney(await world.replica(position_wait_seconds=0.2))
    answer = await lena.get("/leads", {"Leadlog-Position": "1000000"})

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert (await answer.json())["type"] == "urn:leadlog:problem:position-not-reached"
