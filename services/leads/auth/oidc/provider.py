"""The identity provider: its addresses and keys, and trading a code for claims."""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from services.leads.auth.oidc.flow import LEEWAY_SECONDS, Pending, SignInRefused, check_claims

_SECONDS: Final = 10.0
_MAX_BYTES: Final = 1024 * 1024
_KEPT_SECONDS: Final = 3600.0
_RELOAD_SECONDS: Final = 10.0
_ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a key pair only: a shared secret or ``none`` is no proof."""
_OF_THE_SIGN_IN: Final = frozenset({"acr", "amr", "auth_time"})
"""Claims about a sign-in count only if the identity token has them; the rest is a profile."""
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat"]


class ProviderAway(Exception):
    """The provider does not answer, or not as OpenID Connect asks."""


class Metadata(BaseModel):
    """What of the provider's description is used (OpenID Connect Discovery 1.0, section 3)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


@dataclass(frozen=True, slots=True)
class Client:
    """How we are known there; the secret never shows in a `repr`."""

    issuer: str
    client_id: str
    secret: str | None
    redirect_uri: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Client({self.issuer!r}, {self.client_id!r})"


class Provider:
    """One provider; what it says of itself is kept for an hour.

    Args:
        client: how we are known there.
        ca: certificate authorities to trust in place of the system's.
        clock: seconds that only go forward.
    """

    def __init__(
        self, client: Client, ca: Path | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._client = client
        self._ssl = ssl.create_default_context(cafile=ca) if ca else True
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._metadata: Metadata | None = None
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._metadata_at = self._keys_at = float("-inf")
        self._loading = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def metadata(self) -> Metadata:
        """Return the provider's description.

        Raises:
            ProviderAway: it cannot be had, or is another issuer's.
        """
        async with self._loading:
            if self._metadata is None or self._clock() - self._metadata_at > _KEPT_SECONDS:
                self._metadata = await self._discover()
                self._metadata_at = self._clock()
        return self._metadata

    async def claims(self, code: str, pending: Pending) -> dict[str, Any]:
        """Trade a code for what the provider says of the person.

        Raises:
            SignInRefused: the code or the identity token is not valid.
            ProviderAway: the provider does not answer as it should.
        """
        tokens = await self._redeem(code, pending.verifier)
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise ProviderAway("there is no identity token in the answer")
        claims = await self._verified(token)
        check_claims(claims, pending, self._client.client_id)
        if "email" in claims:
            return claims
        more = await self._userinfo(tokens.get("access_token"), claims["sub"])
        return {name: more[name] for name in more.keys() - _OF_THE_SIGN_IN} | claims

    async def _discover(self) -> Metadata:
        url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            metadata = Metadata.model_validate(await self._json("GET", url))
        except ValidationError:
            raise ProviderAway("its description is incomplete") from None
        if metadata.issuer != self._client.issuer:
            raise ProviderAway("its description is another issuer's")
        used = (
            metadata.authorization_endpoint,
            metadata.token_endpoint,
            metadata.jwks_uri,
            metadata.userinfo_endpoint,
        )
        for address in used:
            if address is not None and not is_safe(address):
                raise ProviderAway("it has an address without TLS")
        return metadata

    async def _redeem(self, code: str, verifier: str) -> dict[str, Any]:
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if self._client.secret is None:
            form["client_id"] = self._client.client_id
        elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # Both are encoded for a form first (RFC 6749, section 2.3.1).
            headers["Authorization"] = aiohttp.encode_basic_auth(
                quote(self._client.client_id, safe=""), quote(self._client.secret, safe="")
            )
        else:
            form |= {"client_id": self._client.client_id, "client_secret": self._client.secret}
        return await self._json("POST", metadata.token_endpoint, data=form, headers=headers)

    async def _verified(self, token: str) -> dict[str, Any]:
        metadata = await self.metadata()
        algorithms = _ALGORITHMS & set(metadata.id_token_signing_alg_values_supported)
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in algorithms:
                raise SignInRefused("the identity token is signed in a way that proves nothing")
            key = await self._key(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[header["alg"]],
                audience=self._client.client_id,
                issuer=self._client.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWTError as error:
            raise SignInRefused(
                f"the identity token is not valid ({type(error).__name__})"
            ) from None
        return claims

    async def _key(self, kid: str | None) -> jwt.PyJWK:
        async with self._loading:
            old = self._clock() - self._keys_at
            if old > _KEPT_SECONDS or (kid not in self._keys and old > _RELOAD_SECONDS):
                self._keys = await self._read_keys()
                self._keys_at = self._clock()
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise SignInRefused(
                "the identity token is signed with a key the provider does not show"
            )
        return self._keys[kid]

    async def _read_keys(self) -> dict[str | None, jwt.PyJWK]:
        if self._metadata is None:
            raise ProviderAway("its description was not read")
        document = await self._json("GET", self._metadata.jwks_uri)
        keys = {}
        for described in document.get("keys", []):
            try:
                key = jwt.PyJWK(described)
            except (jwt.PyJWTError, AttributeError):
                continue  # a kind of key that we have no use for
            if key.public_key_use in {None, "sig"}:
                keys[key.key_id] = key
        return keys

    async def _userinfo(self, access_token: object, subject: str) -> dict[str, Any]:
        metadata = await self.metadata()
        if metadata.userinfo_endpoint is None or not isinstance(access_token, str):
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        found = await self._json("GET", metadata.userinfo_endpoint, headers=headers)
        if found.get("sub") != subject:  # OpenID Connect Core, 5.3.2
            raise SignInRefused("the provider's answers are about two persons")
        return found

    async def _json(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=False
            )
        try:
            async with self._session.request(
                method,
                url,
                data=data,
                headers={"Accept": "application/json", **(headers or {})},
                ssl=self._ssl,
                allow_redirects=False,
            ) as answer:
                body = await _bounded(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderAway(type(error).__name__) from None
        return _object(answer.status, body, redeeming=data is not None)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > _MAX_BYTES:
            raise ProviderAway("its answer has no end")
    return body


def _object(status: int, body: bytes, *, redeeming: bool) -> dict[str, Any]:
    """Read an answer; an error of the token endpoint is the code's fault (RFC 6749, 5.2)."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if redeeming and status in {400, 401} and isinstance(document, dict):
        error = document.get("error")
        if error == "invalid_grant":
            raise SignInRefused("the code was used before, or is too old; begin again")
        raise ProviderAway("it does not accept our client id and secret, or our address")
    if status != 200 or not isinstance(document, dict):  # noqa: PLR2004 - HTTP OK
        raise ProviderAway(f"status {status}, or no JSON object")
    return document


def is_safe(url: str) -> bool:
    """Tell whether an address is encrypted, or on this machine."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return parts.scheme == "https" or (parts.scheme == "http" and local)
