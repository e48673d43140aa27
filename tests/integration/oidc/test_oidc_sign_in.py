"""Signing in with a real OpenID Connect provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer
from nats.js import JetStreamContext

from services.leads.app import build_app
from services.leads.auth.accounts import account_key, create_account, deactivate, find
from services.leads.auth.permissions import Role
from tests.integration.leads.world import PASSWORD, Client, World, is_ready, until
from tests.integration.oidc.provider import CLIENT_ID, SECRET, Browser, browser, provider
from tests.support.nats import NatsServer, free_port

RETURN = "http://127.0.0.1:9/inbox"
LENA = {
    "email": "lena@firm.example",
    "email_verified": True,
    "name": "Lena Weber",
    "groups": ["partners"],
}
PEOPLE = {
    "lena": LENA,
    "mallory": {**LENA, "email_verified": False},
    "omar": {"email": "omar@firm.example", "email_verified": True, "groups": ["cleaning"]},
}


@pytest.fixture
async def world(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(nats_server, js, tmp_path, stack)


class Firm:
    """A replica, the firm's provider, and where a browser goes."""

    def __init__(self, world: World, client: Client, issuer: str, base: str) -> None:
        self.world, self.client, self.issuer, self.base = world, client, issuer, base

    async def come_back(self, who: str, surfer: Browser) -> str:
        """Sign in at the provider; the address it sends the browser to, not yet opened."""
        return await surfer.sign_in(
            f"{self.base}/auth/oidc/login", who, until=f"{self.base}/auth/oidc/callback"
        )

    async def sign_in(self, who: str) -> dict[str, str]:
        """Go all the way; what stands behind the # of the return address."""
        async with browser() as surfer:
            status, headers, page = await surfer.get(await self.come_back(who, surfer))
            assert status == 303, page
            address, _, fragment = headers["Location"].partition("#")
            assert address == RETURN
            return dict(parse_qsl(fragment))

    async def redeem(self, code: str) -> tuple[int, Any]:
        async with self.client.post("/auth/oidc/tokens", json={"code": code}) as answer:
            return answer.status, await answer.json()

    async def role(self, email: str) -> Role:
        stored = await find(self.world.accounts, account_key(email))
        assert stored
        return stored.account.role


@asynccontextmanager
async def firm(world: World, *, conform: bool = False, **more: Any) -> AsyncIterator[Firm]:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    redirect = f"{base}/auth/oidc/callback"
    async with provider(redirect, PEOPLE, conform=conform) as issuer:
        settings = world.settings(
            "with-provider",
            oidc_issuer=issuer,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SECRET,
            oidc_redirect_url=redirect,
            **{"oidc_return_url": RETURN, **more},
        )
        server = TestServer(build_app(settings), host="127.0.0.1", port=port)
        async with TestClient(server) as client:
            await until(lambda: is_ready(client))
            yield Firm(world, client, issuer, base)


@pytest.mark.parametrize("conform", [False, True])
async def test_a_verified_address_signs_in_to_its_account(world: World, *, conform: bool) -> None:
    account, _ = await create_account(world.accounts, "Lena@firm.example", "Lena", PASSWORD)
    async with firm(world, conform=conform) as here:
        status, tokens = await here.redeem((await here.sign_in("lena"))["code"])
        assert status == 200, tokens
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with here.client.get("/leads", headers=headers) as answer:
            assert answer.status == 200
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        async with here.client.post("/auth/token", data=form) as answer:
            assert answer.status == 200
    found = await find(world.accounts, account_key("lena@firm.example"))
    assert found
    assert found.account.id == account.id
    assert found.account.role is Role.ATTORNEY


async def test_without_a_return_address_the_answer_holds_the_tokens(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world, oidc_return_url=None) as here, browser() as surfer:
        status, headers, page = await surfer.get(await here.come_back("lena", surfer))
        assert status == 200
        assert '"access_token"' in page
        assert headers["Cache-Control"] == "no-store"


async def test_an_address_that_is_not_verified_finds_no_account(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        answer = await here.sign_in("mallory")
        assert answer["error"] == "access_denied"
        assert "has not verified" in answer["error_description"]


async def test_nobody_without_an_account_unless_the_operator_says_so(world: World) -> None:
    async with firm(world) as here:
        assert "no account" in (await here.sign_in("lena"))["error_description"]
    async with firm(world, oidc_create_accounts=True) as here:
        status, _ = await here.redeem((await here.sign_in("lena"))["code"])
        assert status == 200
        assert await here.role("lena@firm.example") is Role.VIEWER


async def test_groups_give_the_role_and_its_end(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    await create_account(world.accounts, "omar@firm.example", "Omar", PASSWORD)
    async with firm(world, oidc_roles=["partners=admin", "associates=attorney"]) as here:
        assert "code" in await here.sign_in("lena")
        assert await here.role("lena@firm.example") is Role.ADMIN
        assert "None of your groups" in (await here.sign_in("omar"))["error_description"]
    async with firm(world, oidc_roles=["partners=viewer"]) as here:
        assert "code" in await here.sign_in("lena")
        assert await here.role("lena@firm.example") is Role.VIEWER


async def test_once_linked_the_account_goes_with_the_person_not_with_the_address(
    world: World,
) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        assert "code" in await here.sign_in("lena")
        await deactivate(world.accounts, "lena@firm.example")
        answer = await here.sign_in("lena")
        assert "no active account" in answer["error_description"]


async def test_a_code_is_good_once(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        code = (await here.sign_in("lena"))["code"]
        answers = await asyncio.gather(*(here.redeem(code) for _ in range(4)))
        assert sorted(status for status, _ in answers) == [200, 403, 403, 403]
        assert (await here.redeem("made up"))[0] == 403


async def test_an_answer_counts_once_and_only_in_the_browser_that_asked(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here, browser() as surfer, browser() as other:
        address = await here.come_back("lena", surfer)
        _, headers, _ = await other.get(address)
        assert "another+browser" in headers["Location"]
        _, headers, _ = await surfer.get(address)  # the other one has used it up
        assert "error=access_denied" in headers["Location"]
        address = await here.come_back("lena", surfer)
        _, headers, _ = await surfer.get(address)
        assert "#code=" in headers["Location"]
        _, headers, _ = await surfer.get(address)
        assert "error=access_denied" in headers["Location"]


async def test_a_forged_answer_is_refused(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here, browser() as surfer:
        for change in ({"code": "made up"}, {"state": "made up"}, {"iss": "https://evil.example"}):
            address = await here.come_back("lena", surfer)
            query = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()} | change
            _, headers, _ = await surfer.get(f"{here.base}/auth/oidc/callback?{urlencode(query)}")
            assert "error=" in headers["Location"], change
        _, headers, _ = await surfer.get(f"{here.base}/auth/oidc/callback?error=login_required")
        assert "error=access_denied" in headers["Location"]


async def test_what_is_asked_of_the_provider(world: World) -> None:
    async with firm(world) as here, browser() as surfer:
        status, headers, _ = await surfer.get(f"{here.base}/auth/oidc/login")
        assert status == 302
        asked = parse_qs(urlsplit(headers["Location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["response_type"] == ["code"]
        assert len(asked["state"][0]) >= 43
        assert len(asked["nonce"][0]) >= 43
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/auth/oidc" in cookie


async def test_a_provider_that_is_away_is_named(world: World) -> None:
    settings: dict[str, Any] = {
        "oidc_issuer": f"http://127.0.0.1:{free_port()}",
        "oidc_client_id": CLIENT_ID,
        "oidc_redirect_url": "http://127.0.0.1:1/auth/oidc/callback",
    }
    client = await world.replica("alone", **settings)
    async with client.get("/auth/oidc/login", allow_redirects=False) as answer:
        assert answer.status == 502
        assert "does not answer" in (await answer.json())["title"]


async def test_without_a_provider_the_way_is_closed(world: World) -> None:
    client = await world.replica("alone")
    for path in ("/auth/oidc/login", "/auth/oidc/callback?code=a&state=b"):
        async with client.get(path, allow_redirects=False) as answer:
            assert answer.status == 404
