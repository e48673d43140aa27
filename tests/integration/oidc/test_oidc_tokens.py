"""Identity tokens that must not be believed, from a provider that means no good."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from services.leads.auth.oidc import flow
from services.leads.auth.oidc.flow import SignInRefused
from services.leads.auth.oidc.provider import Client, Provider, ProviderAway

PENDING = flow.start(datetime.now(UTC)).pending


@dataclass
class Hostile:
    """Says what a test wants said."""

    key: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65537, 2048))
    token: str = ""
    issuer: str = ""
    says_issuer: str | None = None
    redeemed: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    describes: dict[str, str] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def jwk(self) -> dict[str, Any]:
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**public, "kid": "one", "use": "sig"}

    def claims(self, **change: Any) -> dict[str, Any]:
        now = datetime.now(UTC)
        claims = {
            "iss": self.issuer,
            "sub": "lena",
            "aud": "leadlog",
            "nonce": PENDING.nonce,
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "email": "lena@firm.example",
            "email_verified": True,
            **change,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, **change: Any) -> str:
        return jwt.encode(self.claims(**change), self.key, "RS256", headers={"kid": "one"})

    async def describe(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.says_issuer or self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                **self.describes,
            }
        )

    async def keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [{"kty": "unheard-of", "kid": "x"}, self.jwk]})

    async def tell(self, _request: web.Request) -> web.Response:
        return web.json_response(self.profile)

    async def give(self, request: web.Request) -> web.Response:
        self.redeemed.append({k: str(v) for k, v in (await request.post()).items()})
        if self.status != 200:
            return web.json_response({"error": "invalid_grant"}, status=self.status)
        return web.json_response({"id_token": self.token, "access_token": "a"})


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    one = Hostile()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", one.describe)
    app.router.add_get("/keys", one.keys)
    app.router.add_post("/token", one.give)
    app.router.add_get("/me", one.tell)
    async with TestServer(app, host="127.0.0.1") as server:
        one.issuer = str(server.make_url("")).rstrip("/")
        yield one


@pytest.fixture
async def ours(hostile: Hostile) -> AsyncIterator[Provider]:
    known_as = Client(hostile.issuer, "leadlog", "s3cret", "http://127.0.0.1:1/auth/oidc/callback")
    provider = Provider(known_as)
    yield provider
    await provider.close()


def segment(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value, default=str).encode()).rstrip(b"=").decode()


def unsigned(hostile: Hostile) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = hostile.claims(iat=now, exp=now + 300)
    return f"{segment({'alg': 'none', 'kid': 'one'})}.{segment(claims)}."


def with_public_key_as_secret(hostile: Hostile) -> str:
    n = hostile.jwk["n"].encode()
    return jwt.encode(hostile.claims(), n, "HS256", headers={"kid": "one"})


def by_another_key(hostile: Hostile) -> str:
    stranger = generate_private_key(65537, 2048)
    return jwt.encode(hostile.claims(), stranger, "RS256", headers={"kid": "one"})


def by_an_unknown_key(hostile: Hostile) -> str:
    return jwt.encode(hostile.claims(), hostile.key, "RS256", headers={"kid": "two"})


BAD: dict[str, Callable[[Hostile], str]] = {
    "unsigned": unsigned,
    "signed with the public key as a secret": with_public_key_as_secret,
    "signed by another key": by_another_key,
    "signed by a key nobody shows": by_an_unknown_key,
    "no token": lambda _: "a.b.c",
    "for another client": lambda it: it.sign(aud="other"),
    "for several, we are not the party": lambda it: it.sign(aud=["leadlog", "x"], azp="x"),
    "for several, without a party": lambda it: it.sign(aud=["leadlog", "x"]),
    "of another issuer": lambda it: it.sign(iss="https://evil.example"),
    "too old": lambda it: it.sign(exp=datetime.now(UTC) - timedelta(minutes=5)),
    "without an end": lambda it: it.sign(exp=None),
    "of another request": lambda it: it.sign(nonce="another"),
    "without a nonce": lambda it: it.sign(nonce=None),
}


async def test_a_good_token_is_believed(hostile: Hostile, ours: Provider) -> None:
    hostile.token = hostile.sign()
    claims = await ours.claims("the code", PENDING)
    assert flow.person(claims, "groups").email == "lena@firm.example"
    (asked,) = hostile.redeemed
    assert asked["code"] == "the code"
    assert asked["code_verifier"] == PENDING.verifier
    assert asked["client_secret"] == "s3cret"


@pytest.mark.parametrize("how", BAD)
async def test_a_bad_token_is_not(how: str, hostile: Hostile, ours: Provider) -> None:
    hostile.token = BAD[how](hostile)
    with pytest.raises(SignInRefused):
        await ours.claims("the code", PENDING)


async def test_a_code_that_the_provider_does_not_take(hostile: Hostile, ours: Provider) -> None:
    hostile.status = 400
    with pytest.raises(SignInRefused, match="begin again"):
        await ours.claims("old", PENDING)


async def test_a_description_of_another_issuer(hostile: Hostile, ours: Provider) -> None:
    hostile.says_issuer = "https://evil.example"
    with pytest.raises(ProviderAway, match="another issuer"):
        await ours.metadata()


@pytest.mark.parametrize(
    "which", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]
)
async def test_an_address_without_tls_is_not_used(
    which: str, hostile: Hostile, ours: Provider
) -> None:
    hostile.describes = {which: "http://id.firm.example/there"}
    with pytest.raises(ProviderAway, match="without TLS"):
        await ours.metadata()


async def test_a_profile_says_nothing_about_the_sign_in(hostile: Hostile, ours: Provider) -> None:
    hostile.describes = {"userinfo_endpoint": f"{hostile.issuer}/me"}
    hostile.profile = {"sub": "lena", "email": "lena@firm.example", "amr": ["mfa"], "auth_time": 1}
    hostile.token = hostile.sign(email=None)
    claims = await ours.claims("the code", PENDING)
    assert claims["email"] == "lena@firm.example"
    assert claims.keys().isdisjoint({"amr", "auth_time"})


async def test_new_keys_are_looked_for(hostile: Hostile) -> None:
    clock = [0.0]
    known_as = Client(hostile.issuer, "leadlog", None, "http://127.0.0.1:1/auth/oidc/callback")
    provider = Provider(known_as, clock=lambda: clock[0])
    hostile.token = hostile.sign()
    await provider.claims("one", PENDING)
    hostile.key = generate_private_key(65537, 2048)
    hostile.token = hostile.sign()
    with pytest.raises(SignInRefused):  # the same name, another key: nothing to look for
        await provider.claims("two", PENDING)
    clock[0] = 3_700
    await provider.claims("three", PENDING)
    await provider.close()
