"""Administrators require a second factor, and help whoever has lost theirs."""

import json

from aiohttp import ClientResponse

from libs.chassis.jetstream import get_batch
from services.leads.auth.permissions import Role
from tests.integration.leads.world import PASSWORD, Attorney, World, log_in, until
from tests.integration.mfa.people import LENA, enrol, first_step, mails, notes, second_step

ADMIN = "olga@firm.example"


async def admin(world: World, client: object) -> Attorney:
    return await world.attorney(client, ADMIN, "Olga Petrova", role=Role.ADMIN)  # type: ignore[arg-type]


def bearer(attorney: Attorney) -> dict[str, str]:
    return {"Authorization": f"Bearer {attorney.access}"}


async def require(olga: Attorney, *roles: str) -> ClientResponse:
    answer: ClientResponse = await olga.client.put(
        "/auth/policy", json={"mfa_required_for": list(roles)}, headers=bearer(olga)
    )
    return answer


async def test_a_login_without_the_required_factor_can_only_set_one_up(world: World) -> None:
    client = await world.replica()
    olga, lena = await admin(world, client), await world.attorney(client)
    assert (await lena.get("/leads")).status == 200
    assert (await require(olga, "attorney")).status == 200

    async def narrowed() -> bool:
        return bool((await lena.get("/leads")).status == 403)

    await until(narrowed)
    fresh = await (await log_in(client, LENA, PASSWORD)).json()
    newcomer = Attorney(client, fresh["access_token"], fresh["refresh_token"])
    for path in ("/leads", "/auth/policy"):
        refused = await newcomer.get(path)
        assert (refused.status, (await refused.json())["type"].rpartition(":")[2]) == (
            403,
            "forbidden",
        )
    status = await (await newcomer.get("/auth/mfa")).json()
    assert (status["required"], status["passed"]) == (True, False)

    await enrol(newcomer)
    assert (await newcomer.get("/leads")).status == 200
    assert (await olga.get("/leads")).status == 200, "it is not required of administrators"


async def test_the_last_factor_stays_while_one_is_required(world: World) -> None:
    client = await world.replica()
    olga, lena = await admin(world, client), await world.attorney(client)
    await enrol(lena)
    await require(olga, "attorney")
    refused = await client.delete("/auth/mfa/totp", headers=bearer(lena))
    assert (refused.status, (await refused.json())["type"]) == (
        409,
        "urn:leadlog:problem:last-factor",
    )
    assert (await log_in(client, LENA, PASSWORD)).status == 400
    await require(olga)
    assert (await client.delete("/auth/mfa/totp", headers=bearer(lena))).status == 204


async def test_an_administrator_cannot_require_what_they_lack_themselves(world: World) -> None:
    client = await world.replica()
    olga = await admin(world, client)
    assert (await require(olga, "admin")).status == 409
    await enrol(olga)
    done = await require(olga, "viewer", "admin")
    assert (done.status, (await done.json())["mfa_required_for"]) == (200, ["admin", "viewer"])
    assert (await olga.get("/leads")).status == 200
    shown = await (await olga.get("/auth/policy")).json()
    assert sorted(shown["mfa_required_for"]) == ["admin", "viewer"]
    trail = [one for one in await notes(world.js) if one["action"] == "settings.changed"]
    assert [one["details"]["mfa_required_for"] for one in trail] == ["admin,viewer"]


async def test_who_is_no_administrator_can_neither_require_nor_reset(world: World) -> None:
    client = await world.replica()
    olga, lena = await admin(world, client), await world.attorney(client)
    assert (await require(lena)).status == 403
    reset = await client.delete(f"/accounts/{olga.account_id}/mfa", headers=bearer(lena))
    assert reset.status == 403


async def test_an_administrator_resets_the_factors_of_somebody_who_lost_them(
    world: World,
) -> None:
    client = await world.replica()
    olga, lena = await admin(world, client), await world.attorney(client)
    _, codes = await enrol(lena)
    unknown = await client.delete(f"/accounts/{uuid_of_nobody()}/mfa", headers=bearer(olga))
    assert unknown.status == 404
    own = await client.delete(f"/accounts/{olga.account_id}/mfa", headers=bearer(olga))
    assert own.status == 409
    done = await client.delete(f"/accounts/{lena.account_id}/mfa", headers=bearer(olga))
    assert done.status == 204

    assert (await log_in(client, LENA, PASSWORD)).status == 200
    assert "mfa-removed" in await mails(world)
    trail = [one for one in await notes(world.js) if one["action"] == "mfa.reset"]
    assert [(one["actor"], one["target"]) for one in trail] == [
        (f"account:{olga.account_id}", f"account:{lena.account_id}")
    ]
    assert codes[0] not in json.dumps(trail)


async def test_a_begun_second_step_is_worth_nothing_after_a_reset(world: World) -> None:
    client = await world.replica()
    olga, lena = await admin(world, client), await world.attorney(client)
    app, codes = await enrol(lena)
    begun = await first_step(client)
    await client.delete(f"/accounts/{lena.account_id}/mfa", headers=bearer(olga))
    assert (await second_step(client, begun, code=app.code())).status == 403
    assert (await second_step(client, begun, recovery_code=codes[0])).status == 403


def uuid_of_nobody() -> str:
    return "01a20e80-0000-7000-8000-000000000000"


async def test_a_password_that_comes_back_by_mail_leaves_the_factor_alone(world: World) -> None:
    client = await world.replica()
    await enrol(await world.attorney(client))
    asked = await client.post("/auth/password-reset", json={"email": LENA})
    assert asked.status == 202

    async def link() -> str | None:
        found = await get_batch(world.js._nc, "OUTBOX", "outbox.password_reset")
        return json.loads(found[0].data)["link"] if found else None

    async def has_come() -> bool:
        return await link() is not None

    await until(has_come)
    token = (await link() or "").partition("#")[2]
    confirm = {"token": token, "password": "a much newer one"}  # pragma: allowlist secret
    assert (await client.post("/auth/password-reset/confirm", json=confirm)).status == 204

    answer = await log_in(client, LENA, "a much newer one")
    assert (answer.status, (await answer.json())["error"]) == (400, "mfa_required")
