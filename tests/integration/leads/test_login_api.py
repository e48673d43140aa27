"""Logging in over HTTP: tokens, their end, their reuse, and who may not."""

import asyncio
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.leads.auth import accounts
from tests.integration.leads.world import PASSWORD, World, log_in, renew, until


async def test_the_answer_has_the_form_of_rfc_6749(world: World) -> None:
    client = await world.replica()
    await world.attorney(client)
    answer = await log_in(client, "LENA@firm.example", PASSWORD)
    body = await answer.json()

    assert answer.headers["Cache-Control"] == "no-store"
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 600
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (
            {"grant_type": "password", "username": "lena@firm.example", "password": "x"},
            "invalid_grant",
        ),
        (
            {"grant_type": "password", "username": "nobody@firm.example", "password": PASSWORD},
            "invalid_grant",
        ),
        ({"grant_type": "password", "username": "lena@firm.example"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "a.b"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "*"}, "invalid_grant"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
    ],
)
async def test_what_is_refused_is_refused_in_the_form_of_rfc_6749(
    world: World, form: dict[str, str], error: str
) -> None:
    client = await world.replica()
    await world.attorney(client)
    answer = await client.post("/auth/token", data=form)

    assert answer.status == 400
    assert (await answer.json())["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"


async def test_everything_but_a_few_addresses_needs_a_token(world: World) -> None:
    client = await world.replica()
    lead = await world.submit()
    closed = ["/leads", f"/leads/{lead}", f"/leads/{lead}/history", f"/leads/{lead}/resume"]
    for path in closed:
        answer = await client.get(path)
        assert (answer.status, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    for path in (f"/leads/{lead}/reached-out", "/auth/logout", "/auth/password"):
        assert (await client.post(path)).status == 401
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs", "/.well-known/jwks.json"):
        assert (await client.get(path)).status == 200
    assert (await client.get("/nothing-here")).status == 404
    assert (await client.delete("/leads")).status == 405


def forged(**changes: object) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": "leadlog",
        "aud": "leadlog-leads",
        "sub": "a",
        "sid": "s",
        "jti": "j",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        **changes,
    }
    return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": "other"})


async def test_a_forged_token_is_refused(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    kid = jwt.get_unverified_header(lena.access)["kid"]
    claims = jwt.decode(lena.access, options={"verify_signature": False})
    head, body, signature = lena.access.split(".")
    forgeries = [
        forged(),
        jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": kid}),
        jwt.encode(claims, "k" * 32, "HS256", headers={"kid": kid}),
        jwt.encode(claims, "", "none", headers={"kid": kid}),
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        "x",
        lena.refresh,
    ]
    for token in forgeries:
        answer = await client.get("/leads", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert (await lena.get("/leads")).status == 200


async def test_an_access_token_ends(world: World) -> None:
    client = await world.replica(access_token_seconds=1)
    lena = await world.attorney(client)

    async def is_over() -> bool:
        answer = await lena.get("/leads")
        return answer.status == 401 and "expired" in answer.headers["WWW-Authenticate"]

    await until(is_over)
    assert (await renew(client, lena.refresh)).status == 200


async def test_a_token_of_one_replica_is_good_at_another(world: World) -> None:
    first, second = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(first)
    keys = await (await second.get("/.well-known/jwks.json")).json()
    public = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(lena.access)["kid"]]

    assert (await lena.at(second).get("/leads")).status == 200
    assert jwt.decode(lena.access, public, ["EdDSA"], audience="leadlog-leads")["sub"]
    assert all("d" not in key for key in keys["keys"])


async def test_replicas_that_start_together_agree_on_one_key(world: World) -> None:
    replicas = await asyncio.gather(*(world.replica() for _ in range(4)))
    answers = await asyncio.gather(*(one.get("/.well-known/jwks.json") for one in replicas))
    sets = [await answer.json() for answer in answers]
    lena = await world.attorney(replicas[0])

    assert all(len(keys["keys"]) >= 1 for keys in sets)
    assert [(await lena.at(one).get("/leads")).status for one in replicas] == [200] * 4


async def test_a_refresh_token_can_be_used_once_and_reuse_ends_the_session(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    second = await (await renew(client, lena.refresh)).json()
    third = await (await renew(client, second["refresh_token"])).json()
    stolen = await renew(client, lena.refresh)
    after = await renew(client, third["refresh_token"])

    assert len({lena.refresh, second["refresh_token"], third["refresh_token"]}) == 3
    assert (stolen.status, (await stolen.json())["error"]) == (400, "invalid_grant")
    assert (after.status, (await after.json())["error"]) == (400, "invalid_grant")


async def test_two_uses_at_once_at_two_replicas_get_the_same_next_token(world: World) -> None:
    first, second = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(first)
    answers = await asyncio.gather(renew(first, lena.refresh), renew(second, lena.refresh))
    tokens = {(await answer.json())["refresh_token"] for answer in answers}

    assert [answer.status for answer in answers] == [200, 200]
    assert len(tokens) == 1
    assert (await renew(second, tokens.pop())).status == 200


async def test_logging_out_ends_the_session(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)

    assert (await lena.post("/auth/logout")).status == 204
    assert (await renew(client, lena.refresh)).status == 400
    assert (await lena.get("/leads")).status == 401


async def test_a_session_that_ended_at_one_replica_ends_at_the_others(world: World) -> None:
    here, there = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(here)
    assert (await lena.at(there).get("/leads")).status == 200
    assert (await lena.post("/auth/logout")).status == 204

    async def is_over() -> bool:
        return bool((await lena.at(there).get("/leads")).status == 401)

    await until(is_over)


async def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    elsewhere = await (await log_in(client, "lena@firm.example", PASSWORD)).json()
    wrong = await lena.post(
        "/auth/password", json={"current_password": "wrong", "new_password": "a much newer one"}
    )
    short = await lena.post(
        "/auth/password", json={"current_password": PASSWORD, "new_password": "short"}
    )
    done = await lena.post(
        "/auth/password", json={"current_password": PASSWORD, "new_password": "a much newer one"}
    )

    assert (wrong.status, short.status, done.status) == (403, 422, 204)
    assert (await renew(client, elsewhere["refresh_token"])).status == 400
    assert (await renew(client, lena.refresh)).status == 200
    assert (await log_in(client, "lena@firm.example", PASSWORD)).status == 400
    assert (await log_in(client, "lena@firm.example", "a much newer one")).status == 200


async def test_a_deactivated_account_gets_no_token(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    await accounts.deactivate(world.accounts, "lena@firm.example")

    assert (await log_in(client, "lena@firm.example", PASSWORD)).status == 400
    assert (await renew(client, lena.refresh)).status == 400

    async def is_out() -> bool:
        return bool((await lena.get("/leads")).status == 401)

    await until(is_out)
    await accounts.activate(world.accounts, "lena@firm.example")
    assert (await log_in(client, "lena@firm.example", PASSWORD)).status == 200


async def test_guessing_is_slowed_down_for_that_account_only(world: World) -> None:
    client = await world.replica()
    await world.attorney(client)
    await world.attorney(client, "omar@firm.example", "Omar Haddad")
    answers = [await log_in(client, "lena@firm.example", "a guess") for _ in range(7)]

    assert [answer.status for answer in answers] == [400] * 6 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
    assert (await log_in(client, "omar@firm.example", PASSWORD)).status == 200

    async def lena_gets_in() -> bool:
        return (await log_in(client, "lena@firm.example", PASSWORD)).status == 200

    await until(lena_gets_in)
