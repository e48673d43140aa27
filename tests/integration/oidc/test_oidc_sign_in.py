"""Signing in with a real OpenID Connect provider."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from libs.chassis.jetstream import get_batch
from libs.events import new_id
from services.leads.app import build_app
from services.leads.auth.accounts import (
    account_key,
    activate,
    create_account,
    deactivate,
    find,
    set_password,
)
from services.leads.auth.oidc.linking import unlink
from services.leads.auth.oidc.sign_in import Ticket
from services.leads.auth.permissions import Role
from services.leads.auth.sessions import Session
from tests.integration.leads.world import PASSWORD, Client, World, is_ready, renew, until
from tests.integration.oidc.provider import CLIENT_ID, SECRET, Browser, browser, provider
from tests.support.nats import NatsServer
from tests.support.ports import free_port

RETURN = "http://127.0.0.1:9/inbox"
LENA = {
    "email": "lena@firm.example",
    "email_verified": True,
    "name": "Lena Weber",
    "groups": ["partners"],
}
PEOPLE = {
    "lena": LENA,
    "another-lena": {**LENA, "name": "Lena Wagner"},
    "mallory": {**LENA, "email_verified": False},
    "omar": {"email": "omar@firm.example", "email_verified": True, "groups": ["cleaning"]},
}


@pytest.fixture
async def world(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(nats_server, js, tmp_path, stack)


async def trail(world: World) -> list[dict[str, Any]]:
    return [json.loads(one.data) for one in await get_batch(world.js._nc, "AUDIT", "audit.>")]


async def notices(world: World) -> list[str]:
    mails = await get_batch(world.js._nc, "OUTBOX", "outbox.>")
    return [json.loads(one.data)["details"]["notice"] for one in mails]


async def sessions(world: World) -> dict[str, Session]:
    bucket = Bucket(world.js, "SESSIONS")
    found = await bucket.matching("*.*")
    return {name: Session.model_validate_json(entry.value) for name, entry in found.items()}


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
    lena, _ = await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    await create_account(world.accounts, "omar@firm.example", "Omar", PASSWORD)
    await create_account(
        world.accounts, "ada@firm.example", "Ada", PASSWORD, role=Role.ADMIN
    )  # one administrator always stays
    async with firm(world, oidc_roles=["partners=admin", "associates=attorney"]) as here:
        assert "code" in await here.sign_in("lena")
        assert await here.role("lena@firm.example") is Role.ADMIN
        assert "None of your groups" in (await here.sign_in("omar"))["error_description"]
    await unlink(world.accounts, lena.id)  # what comes next is another provider
    async with firm(world, oidc_roles=["partners=viewer"]) as here:
        assert "code" in await here.sign_in("lena")
        assert await here.role("lena@firm.example") is Role.VIEWER
    noted = [one for one in await trail(world) if one["action"] == "account.role-changed"]
    assert [(one["details"]["before"], one["details"]["after"]) for one in noted] == [
        ("attorney", "admin"),
        ("admin", "viewer"),
    ]
    assert all(one["target"] == one["actor"] for one in noted)
    assert (await notices(world)).count("role-changed") == 2


async def test_the_last_administrator_signs_in_and_stays_one(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD, role=Role.ADMIN)
    async with firm(world, oidc_roles=["partners=viewer"]) as here:
        status, _ = await here.redeem((await here.sign_in("lena"))["code"])
        assert status == 200
        assert await here.role("lena@firm.example") is Role.ADMIN
    assert "account.role-changed" not in [one["action"] for one in await trail(world)]


async def test_who_gets_the_address_later_does_not_get_the_account(world: World) -> None:
    # Given an account that somebody has signed in to
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        assert "code" in await here.sign_in("lena")
        # When the provider's next owner of the address comes
        answer = await here.sign_in("another-lena")
        # Then it is refused, and the first one was told that the account is theirs
        assert answer["error"] == "access_denied"
        assert "linked to another person" in answer["error_description"]
        assert "code" in await here.sign_in("lena")
    assert await notices(world) == ["identity-linked"]


async def test_an_administrator_unlinks_an_account_for_its_next_person(world: World) -> None:
    lena, _ = await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        # Given somebody's account, and their login
        _, tokens = await here.redeem((await here.sign_in("lena"))["code"])
        admin = await world.attorney(here.client, "ada@firm.example", "Ada", role=Role.ADMIN)
        # When an administrator unlinks it, once and once more
        for _ in range(2):
            answer = await admin.delete(f"/accounts/{lena.id}/identity")
            assert answer.status == 204
        # Then the login is over, and whoever has the address now gets the account
        assert (await renew(here.client, tokens["refresh_token"])).status == 400
        assert "code" in await here.sign_in("another-lena")
        assert "linked to another" in (await here.sign_in("lena"))["error_description"]
        assert (await admin.delete(f"/accounts/{new_id()}/identity")).status == 404
    noted = [one for one in await trail(world) if one["action"] == "account.unlinked"]
    assert [(one["actor"], one["target"]) for one in noted] == [
        (f"account:{admin.account_id}", f"account:{lena.id}")
    ]
    assert await notices(world) == ["identity-linked", "identity-unlinked", "identity-linked"]


@pytest.mark.parametrize("ended_by", ["a new password", "a deactivation"])
async def test_what_ends_all_sessions_ends_a_sign_in_on_its_way(
    world: World, ended_by: str
) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        code = (await here.sign_in("lena"))["code"]
        if ended_by == "a new password":
            await set_password(world.accounts, "lena@firm.example")
        else:
            await deactivate(world.accounts, "lena@firm.example")
            await activate(world.accounts, "lena@firm.example")
        status, answer = await here.redeem(code)
        assert (status, answer["detail"]) == (
            403,
            "Your account was changed meanwhile; begin again.",
        )


async def test_a_login_is_as_fresh_as_the_proof_at_the_provider(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here, browser() as surfer:

        async def proved_at(path: str) -> datetime:
            before = set(await sessions(world))
            address = await surfer.sign_in(
                f"{here.base}{path}", "lena", until=f"{here.base}/auth/oidc/callback"
            )
            _, headers, _ = await surfer.get(address)
            code = dict(parse_qsl(headers["Location"].partition("#")[2]))["code"]
            assert (await here.redeem(code))[0] == 200
            (new,) = set(await sessions(world)) - before
            return (await sessions(world))[new].proved_at

        def asked() -> int:
            return sum("/interaction/" in address for address in surfer.visited)

        # Given somebody whom the provider has asked
        first = await proved_at("/auth/oidc/login")
        assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
        pages = asked()
        # When the provider lets them in without a question, the login is no fresher
        assert await proved_at("/auth/oidc/login") == first
        assert asked() == pages
        # When it is told to ask, it does
        assert await proved_at("/auth/oidc/login?again=true") >= first
        assert asked() > pages


@pytest.mark.parametrize(
    ("minutes", "status"), [(1, 201), (11, 401), (None, 401)], ids=["fresh", "old", "not said"]
)
async def test_only_a_fresh_proof_at_the_provider_changes_what_signs_in(
    world: World, minutes: int | None, status: int
) -> None:
    # Given a sign-in of now, by a proof of some minutes ago
    account, _ = await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    at = datetime.now(UTC)
    ticket = Ticket(
        account_key=account_key("lena@firm.example"),
        epoch=account.epoch,
        methods=frozenset({"oidc"}),
        at=at,
        proved_at=None if minutes is None else at - timedelta(minutes=minutes),
    )
    async with firm(world) as here:
        name = f"code.{hashlib.sha256(b'the code').hexdigest()}"
        await Bucket(world.js, "SIGN_INS").create(name, ticket.model_dump_json().encode())
        _, tokens = await here.redeem("the code")
        # When a second factor is to be added
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with here.client.post("/auth/mfa/totp", headers=headers) as answer:
            # Then that takes a proof of the last ten minutes
            assert answer.status == status


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
        status, tokens = await here.redeem(code)
        assert status == 200
        assert (await here.redeem("made up"))[0] == 403
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with here.client.get("/leads", headers=headers) as answer:
            assert answer.status == 200
        # A second use: somebody has a copy
        assert (await here.redeem(code))[0] == 403
        async with here.client.get("/leads", headers=headers) as answer:
            assert answer.status == 401
        assert (await renew(here.client, tokens["refresh_token"])).status == 400
    assert await sessions(world) == {}
    assert "session.code-reused" in [one["action"] for one in await trail(world)]


async def test_a_code_that_several_send_at_once_leaves_no_login(world: World) -> None:
    await create_account(world.accounts, "lena@firm.example", "Lena", PASSWORD)
    async with firm(world) as here:
        code = (await here.sign_in("lena"))["code"]
        answers = await asyncio.gather(*(here.redeem(code) for _ in range(4)))
        assert [status for status, _ in answers].count(200) <= 1
        assert {status for status, _ in answers} <= {200, 403}
    assert await sessions(world) == {}


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
