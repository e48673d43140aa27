"""The cookie that binds a sign-in to the browser that began it."""

from datetime import timedelta

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.leads.auth.oidc.provider import Client, Metadata, Provider
from services.leads.auth.oidc.sign_in import Oidc, Rules
from services.leads.routes.oidc import OIDC, begin_oidc
from tests.unit.leads.memory_bucket import MemoryBucket

ISSUER = "https://id.firm.example"
RULES = Rules(
    ["openid"], "groups", {}, may_create=False, return_url=None, max_age=timedelta(days=30)
)


class Described(Provider):
    """A provider that is never asked."""

    async def metadata(self) -> Metadata:
        return Metadata(
            issuer=ISSUER,
            authorization_endpoint=f"{ISSUER}/authorize",
            token_endpoint=f"{ISSUER}/token",
            jwks_uri=f"{ISSUER}/keys",
        )


async def cookie_of(base: str) -> str:
    client = Client(ISSUER, "leadlog", None, f"{base}/auth/oidc/callback")
    app = web.Application()
    app[OIDC] = Oidc(Described(client), client, RULES, MemoryBucket(), MemoryBucket())
    app.router.add_get("/auth/oidc/login", begin_oidc)
    async with (
        TestClient(TestServer(app)) as browser,
        browser.get("/auth/oidc/login", allow_redirects=False) as answer,
    ):
        assert answer.status == 302
        return answer.headers["Set-Cookie"]


async def test_behind_tls_no_other_host_can_set_or_get_it() -> None:
    cookie = await cookie_of("https://leads.firm.example")
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-leadlog_oidc_")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)
    assert "Domain" not in cookie


async def test_without_tls_it_is_for_the_sign_in_alone() -> None:
    cookie = await cookie_of("http://localhost:8081")
    assert cookie.startswith("leadlog_oidc_")  # a browser drops a "__Host-" that is not secure
    assert "Path=/auth/oidc" in cookie
    assert "Secure" not in cookie
