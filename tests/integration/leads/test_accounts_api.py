"""Invitations, resets, roles: as administrators and those they invite meet them."""

import asyncio
import json
from typing import Any

import pytest
from nats.js.errors import NotFoundError

from services.leads.auth.permissions import Role
from tests.integration.leads.world import PASSWORD, Attorney, Client, World, log_in, renew, until

OMAR = "omar@firm.example"
NEW = "a quiet harbour at dawn"


async def mails(world: World, template: str) -> list[dict[str, Any]]:
    """Every mail of this kind that was left for the notifier."""
    found: list[dict[str, Any]] = []
    sequence = 1
    while True:
        try:
            message = await world.js.get_msg(
                "OUTBOX", sequence, subject=f"outbox.{template}", next=True
            )
        except NotFoundError:
            return found
        found.append(json.loads(message.data or b""))
        sequence = int(message.seq or 0) + 1


async def token_of(world: World, template: str) -> str:
    """The token in the newest mail of this kind."""
    return str((await mails(world, template))[-1]["link"]).partition("#")[2]


async def invite(admin: Attorney, **more: Any) -> Any:
    body = {"email": OMAR, "name": "Omar Haddad", **more}
    return await admin.post("/accounts", json=body)


async def accept(client: Client, token: str, password: str = NEW) -> Any:
    return await client.post("/auth/invitation", json={"token": token, "password": password})


@pytest.fixture
async def client(world: World) -> Client:
    return await world.replica(public_url="https://leads.firm.example")


@pytest.fixture
async def admin(world: World, client: Client) -> Attorney:
    return await world.attorney(client, role=Role.ADMIN)


async def test_an_invitation_becomes_an_account(
    world: World, client: Client, admin: Attorney
) -> None:
    invited = await invite(admin, role="viewer", assigned_only=True)
    account = await invited.json()
    (mail,) = await mails(world, "account_invitation")

    assert invited.status == 201
    assert (account["status"], account["role"], account["assigned_only"]) == (
        "invited",
        "viewer",
        True,
    )
    assert mail["recipient"] == OMAR
    assert mail["details"] == {"invited_by": "Lena Weber"}
    assert mail["link"].startswith("https://leads.firm.example/invitation#")
    assert (await log_in(client, OMAR, "")).status == 400

    weak = await accept(client, await token_of(world, "account_invitation"), "password1234567")
    assert weak.status == 422
    assert "tried first" in await weak.text()
    assert (await accept(client, await token_of(world, "account_invitation"))).status == 204
    assert (await log_in(client, OMAR, NEW)).status == 200
    shown = await (await admin.get(invited.headers["Location"])).json()
    assert shown["status"] == "active"
    listed = await (await admin.get("/accounts")).json()
    assert [one["email"] for one in listed["items"]] == ["lena@firm.example", OMAR]
    assert "argon2" not in json.dumps(listed)


async def test_a_link_works_once_however_many_use_it(
    world: World, client: Client, admin: Attorney
) -> None:
    await invite(admin)
    token = await token_of(world, "account_invitation")
    other = await world.replica()
    answers = await asyncio.gather(*(accept(one, token) for one in (client, other) * 2))

    assert sorted(answer.status for answer in answers) == [204, 410, 410, 410]
    assert (await accept(client, "made-up")).status == 410


async def test_a_second_invitation_ends_the_first(
    world: World, client: Client, admin: Attorney
) -> None:
    account = await (await invite(admin)).json()
    first = await token_of(world, "account_invitation")
    assert (await admin.post(f"/accounts/{account['id']}/invitation")).status == 204
    second = await token_of(world, "account_invitation")

    assert (await accept(client, first)).status == 410
    assert (await accept(client, second)).status == 204
    assert (await admin.post(f"/accounts/{account['id']}/invitation")).status == 409
    assert (await invite(admin)).status == 409


async def test_no_token_stands_in_the_bucket(world: World, admin: Attorney) -> None:
    await invite(admin)
    token = await token_of(world, "account_invitation")
    message = await world.js.get_last_msg("KV_LINKS", "$KV.LINKS.>")

    assert token not in f"{message.subject} {message.data!r}"
    assert "omar" not in f"{message.subject} {message.data!r}".lower()


async def test_a_lost_password_comes_back_by_mail(world: World, client: Client) -> None:
    lena = await world.attorney(client)
    asked = await client.post("/auth/password-reset", json={"email": "LENA@firm.example"})
    nobody = await client.post("/auth/password-reset", json={"email": "no@firm.example"})
    assert (asked.status, await asked.read()) == (nobody.status, await nobody.read()) == (202, b"")

    async def has_come() -> bool:
        return bool(await mails(world, "password_reset"))

    await until(has_come)
    (mail,) = await mails(world, "password_reset")
    token = mail["link"].partition("#")[2]
    assert (await accept(client, token)).status == 410, "it is no invitation"
    confirm = {"token": token, "password": NEW}
    assert (await client.post("/auth/password-reset/confirm", json=confirm)).status == 204
    assert (await client.post("/auth/password-reset/confirm", json=confirm)).status == 410
    assert (await renew(client, lena.refresh)).status == 400
    assert (await log_in(client, "lena@firm.example", PASSWORD)).status == 400
    assert (await log_in(client, "lena@firm.example", NEW)).status == 200
    notices = await mails(world, "security_notice")
    assert [one["details"]["notice"] for one in notices] == ["password-changed"]


async def test_a_mailbox_gets_three_resets_at_once_and_an_address_is_slowed_down(
    world: World, client: Client
) -> None:
    await world.attorney(client)
    body = {"email": "lena@firm.example"}
    answers = [await client.post("/auth/password-reset", json=body) for _ in range(22)]

    assert [answer.status for answer in answers][:20] == [202] * 20
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1

    async def three_have_come() -> bool:
        return len(await mails(world, "password_reset")) == 3

    await until(three_have_come)


async def test_roles_change_within_seconds_and_the_last_admin_stays(
    world: World, client: Client, admin: Attorney
) -> None:
    omar = await world.attorney(client, OMAR, "Omar Haddad", role=Role.ADMIN)
    assert (await omar.get("/accounts")).status == 200
    changed = await admin.client.patch(
        f"/accounts/{omar.account_id}",
        headers={"Authorization": f"Bearer {admin.access}"},
        json={"role": "viewer", "name": "Omar H."},
    )
    assert ((await changed.json())["role"], (await changed.json())["name"]) == ("viewer", "Omar H.")

    async def may_no_longer() -> bool:
        return bool((await omar.get("/accounts")).status == 403)

    await until(may_no_longer)
    last = await admin.post(f"/accounts/{admin.account_id}/deactivation")
    assert (last.status, (await last.json())["type"]) == (409, "urn:leadlog:problem:last-admin")
    notices = await mails(world, "security_notice")
    assert [one["details"]["notice"] for one in notices] == ["role-changed"]


async def test_a_deactivated_account_is_out_and_can_come_back(
    world: World, client: Client, admin: Attorney
) -> None:
    omar = await world.attorney(client, OMAR, "Omar Haddad")
    gone = await admin.post(f"/accounts/{omar.account_id}/deactivation")
    assert (await gone.json())["status"] == "deactivated"

    async def is_out() -> bool:
        return bool((await omar.get("/leads")).status == 401)

    await until(is_out)
    assert (await client.post("/auth/password-reset", json={"email": OMAR})).status == 202
    assert (await admin.post(f"/accounts/{omar.account_id}/activation")).status == 200
    assert (await log_in(client, OMAR, PASSWORD)).status == 200
    assert await mails(world, "password_reset") == []


async def test_a_network_of_ipv6_may_try_links_as_often_as_one_address(world: World) -> None:
    client = await world.replica(trusted_proxies=["127.0.0.0/8"])
    body = {"token": "made-up", "password": NEW}

    async def attempt(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return (await client.post("/auth/invitation", json=body, headers=headers)).status

    tried = [await attempt(f"2001:db8::{number:x}") for number in range(1, 30)]
    assert tried[:20] == [410] * 20
    assert 429 in tried
    assert await attempt("2001:db8:0:1::1") == 410


async def test_who_guesses_from_elsewhere_does_not_keep_the_owner_out(world: World) -> None:
    client = await world.replica(trusted_proxies=["127.0.0.0/8"])
    await world.attorney(client)

    async def attempt(password: str, address: str) -> int:
        form = {"grant_type": "password", "username": "lena@firm.example", "password": password}
        headers = {"X-Forwarded-For": address}
        return (await client.post("/auth/token", data=form, headers=headers)).status

    assert await attempt(PASSWORD, "203.0.113.7") == 200
    guesses = [await attempt("a guess", f"192.0.2.{number}") for number in range(12)]
    assert guesses == [400] * 6 + [429] * 6
    assert await attempt(PASSWORD, "203.0.113.7") == 200, "where the owner has been before"
    assert await attempt(PASSWORD, "192.0.2.200") == 429, "anywhere else, right or wrong"
