"""Passkeys in a real browser with its virtual authenticator, against a real service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse
from playwright.async_api import Error as BrowserError

from tests.integration.leads.world import PASSWORD, Attorney, Client, World, log_in
from tests.integration.mfa.browser import Laptop, open_laptop, origin
from tests.integration.mfa.people import LENA, first_step, mails, notes, signed_in
from tests.support.chromium import chromium


@dataclass
class Office:
    world: World
    client: Client
    lena: Attorney
    laptop: Laptop
    elsewhere: Laptop
    """A page of another origin, with an authenticator of its own."""

    async def new_passkey(self, name: str = "Laptop") -> ClientResponse:
        begun = await (await self.lena.post("/auth/passkey-registrations")).json()
        made = await self.laptop.create(begun["options"])
        body = {"ceremony": begun["ceremony"], "name": name, "credential": made}
        answer: ClientResponse = await self.lena.post("/auth/passkeys", json=body)
        return answer

    async def begin(self, **body: str) -> dict[str, Any]:
        answer = await self.client.post("/auth/token/passkey/options", json=body)
        assert answer.status == 201, await answer.text()
        begun: dict[str, Any] = await answer.json()
        return begun

    async def finish(self, ceremony: str, signed: dict[str, Any]) -> ClientResponse:
        body = {"ceremony": ceremony, "credential": signed}
        return await self.client.post("/auth/token/passkey", json=body)

    async def sign_in(self, **body: str) -> ClientResponse:
        begun = await self.begin(**body)
        return await self.finish(begun["ceremony"], await self.laptop.get(begun["options"]))


@pytest.fixture
async def office(world: World) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(origin())
        there = await stack.enter_async_context(origin())
        browser = await stack.enter_async_context(chromium())
        client = await world.replica(public_url=here)
        lena = await world.attorney(client)
        yield Office(
            world,
            client,
            lena,
            await open_laptop(browser, here),
            await open_laptop(browser, there),
        )


async def test_a_passkey_is_added_and_signs_in_without_email_or_password(office: Office) -> None:
    added = await office.new_passkey()
    body = await added.json()
    assert added.status == 201, body
    assert body["passkey"]["name"] == "Laptop"
    assert len(body["recovery_codes"]) == 10

    again = await signed_in(office.client, await office.sign_in())
    assert (await again.get("/leads")).status == 200
    assert (await (await again.get("/auth/mfa")).json())["passed"] is True
    listed = await (await again.get("/auth/passkeys")).json()
    assert [one["last_used_at"] is not None for one in listed["passkeys"]] == [True]
    assert "passkey-added" in await mails(office.world)
    trail = {(one["action"], one["outcome"]) for one in await notes(office.world.js)}
    assert {("passkey.added", "ok"), ("sign-in.passkey", "ok")} <= trail


async def test_a_passkey_is_the_second_step_after_the_password(office: Office) -> None:
    await office.new_passkey()
    answer = await log_in(office.client, LENA, PASSWORD)
    required = await answer.json()
    assert required["methods"] == ["passkey", "recovery-code"]

    begun = await office.begin(mfa_token=required["mfa_token"])
    assert len(begun["options"]["allowCredentials"]) == 1
    done = await office.finish(begun["ceremony"], await office.laptop.get(begun["options"]))
    await signed_in(office.client, done)
    used = await office.client.post(
        "/auth/token/passkey/options", json={"mfa_token": required["mfa_token"]}
    )
    assert used.status == 410


async def test_somebody_elses_passkey_is_no_second_step(office: Office) -> None:
    await office.new_passkey()
    await office.laptop.drop((await office.laptop.credentials())[0])
    office.lena = await office.world.attorney(office.client, "omar@firm.example", "Omar Haddad")
    await office.new_passkey("Omar's")

    begun = await office.begin(mfa_token=await first_step(office.client, LENA))
    signed = await office.laptop.get({**begun["options"], "allowCredentials": []})
    assert (await office.finish(begun["ceremony"], signed)).status == 403
    assert (await office.sign_in()).status == 200


async def test_a_signed_challenge_works_once_also_at_the_same_moment(office: Office) -> None:
    await office.new_passkey()
    begun = await office.begin()
    signed = await office.laptop.get(begun["options"])
    answers = await asyncio.gather(*(office.finish(begun["ceremony"], signed) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 410, 410]
    assert (await office.finish(begun["ceremony"], signed)).status == 410
    other = await office.begin()
    assert (await office.finish(other["ceremony"], signed)).status == 403


async def test_another_origin_can_neither_add_nor_use_one(office: Office) -> None:
    begun = await (await office.lena.post("/auth/passkey-registrations")).json()
    made = await office.elsewhere.create(begun["options"])
    body = {"ceremony": begun["ceremony"], "name": "x", "credential": made}
    assert (await office.lena.post("/auth/passkeys", json=body)).status == 403

    await office.new_passkey()
    await office.elsewhere.drop((await office.elsewhere.credentials())[0])
    await office.elsewhere.hold((await office.laptop.credentials())[0])
    sign_in = await office.begin()
    signed = await office.elsewhere.get(sign_in["options"])
    refused = await office.finish(sign_in["ceremony"], signed)
    assert refused.status == 403
    trail = await notes(office.world.js)
    assert any(one["action"] == "sign-in.passkey" and one["outcome"] == "refused" for one in trail)


async def test_the_user_must_be_verified_whatever_the_page_asked_for(office: Office) -> None:
    await office.new_passkey()
    begun = await office.begin()
    await office.laptop.set_verified(verified=False)
    with pytest.raises(BrowserError, match="NotAllowedError"):
        await office.laptop.get({**begun["options"], "timeout": 500})
    weak = {**begun["options"], "userVerification": "discouraged"}
    assert (await office.finish(begun["ceremony"], await office.laptop.get(weak))).status == 403


async def test_a_copy_shows_by_its_counter_and_the_owner_is_told(office: Office) -> None:
    await office.new_passkey()
    copy = (await office.laptop.credentials())[0]
    assert (await office.sign_in()).status == 200
    await office.laptop.drop(copy)
    await office.laptop.hold({**copy, "signCount": 0})
    assert (await office.sign_in()).status == 403
    assert "passkey-copied" in await mails(office.world)


async def test_a_damaged_answer_is_refused(office: Office) -> None:
    await office.new_passkey()
    for member in ("signature", "authenticatorData", "clientDataJSON", "userHandle"):
        begun = await office.begin()
        signed = await office.laptop.get(begun["options"])
        text = signed["response"][member]
        signed["response"][member] = ("B" if text[0] == "A" else "A") + text[1:]
        assert (await office.finish(begun["ceremony"], signed)).status == 403, member


async def test_a_passkey_is_renamed_removed_and_only_ones_own(office: Office) -> None:
    added = (await (await office.new_passkey()).json())["passkey"]
    omar = await office.world.attorney(office.client, "omar@firm.example", "Omar Haddad")
    path = f"/auth/passkeys/{added['id']}"
    bearer = {"Authorization": f"Bearer {office.lena.access}"}
    others = {"Authorization": f"Bearer {omar.access}"}
    body = {"name": "Work laptop"}

    assert (await office.client.patch(path, json=body, headers=others)).status == 404
    assert (await office.client.delete(path, headers=others)).status == 404
    renamed = await office.client.patch(path, json=body, headers=bearer)
    assert (await renamed.json())["name"] == "Work laptop"
    assert (await office.client.delete(path, headers=bearer)).status == 204
    assert (await office.client.delete(path, headers=bearer)).status == 404
    assert (await office.sign_in()).status == 403
    assert (await log_in(office.client, LENA, PASSWORD)).status == 200


async def test_a_passkey_proves_a_login_again(office: Office) -> None:
    old = await signed_in(office.client, await log_in(office.client, LENA, PASSWORD))
    await office.new_passkey()
    assert (await old.post("/auth/mfa/recovery-codes")).status == 401
    begun = await (await old.post("/auth/step-up/passkey/options")).json()
    signed = await office.laptop.get(begun["options"])
    proof = {"ceremony": begun["ceremony"], "credential": signed}
    assert (await office.finish(begun["ceremony"], signed)).status == 410, "not for signing in"

    begun = await (await old.post("/auth/step-up/passkey/options")).json()
    proof = {
        "ceremony": begun["ceremony"],
        "credential": await office.laptop.get(begun["options"]),
    }
    assert (await old.post("/auth/step-up/passkey", json=proof)).status == 204
    assert (await old.post("/auth/mfa/recovery-codes")).status == 201
