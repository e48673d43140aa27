"""The authorization code flow with PKCE (pure): what is asked, and what an answer must hold.

OpenID Connect Core 1.0 section 3.1, RFC 7636 (PKCE, S256), RFC 9207 (issuer in the answer),
RFC 9700 (what of it is done how).
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

PENDING_SECONDS: Final = 600
LEEWAY_SECONDS: Final = 60
"""So far may the provider's clock be off."""
_RANDOM_BYTES: Final = 32
_ENTRA: Final = "https://login.microsoftonline.com/"
_RESERVED: Final = frozenset({"email", "email_verified", "name", "sub"})


class SignInRefused(Exception):
    """The answer does not fit what was asked; the text says what is wrong, and names nobody."""


class Pending(BaseModel):
    """A sign-in that waits for the provider's answer; kept on the server.

    Attributes:
        nonce: what the identity token must repeat.
        verifier: PKCE: proves that who asked is who redeems the code.
        binding: SHA-256 of what the browser's cookie holds: another browser's answer is refused.
        started_at: UTC.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    nonce: str
    verifier: str
    binding: str
    started_at: datetime

    def __repr__(self) -> str:
        """Show nothing."""
        return "Pending()"


@dataclass(frozen=True, slots=True)
class Start:
    """A sign-in that begins.

    Attributes:
        state: names it in the provider's answer.
        cookie: for the browser.
        pending: for the server.
    """

    state: str
    cookie: str
    pending: Pending


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says it is.

    Attributes:
        subject: the provider's own name for the person; never changes.
        email: only if the provider has verified it.
        name: what to show.
        methods: how the person proved who they are (RFC 8176).
        groups: values of the claim that roles are mapped from.
    """

    subject: str
    email: str | None
    name: str | None
    methods: frozenset[str]
    groups: frozenset[str]


def start(now: datetime) -> Start:
    """Return a sign-in with fresh random values."""
    cookie = secrets.token_urlsafe(_RANDOM_BYTES)
    pending = Pending(
        nonce=secrets.token_urlsafe(_RANDOM_BYTES),
        verifier=secrets.token_urlsafe(_RANDOM_BYTES),
        binding=_sha256(cookie),
        started_at=now,
    )
    return Start(secrets.token_urlsafe(_RANDOM_BYTES), cookie, pending)


def authorization_url(
    endpoint: str,
    client_id: str,
    redirect_uri: str,
    scopes: list[str],
    begun: Start,
    *,
    max_age: int,
    prompt: str | None = None,
) -> str:
    """Return where the browser is sent.

    Args:
        endpoint: the provider's.
        client_id: our name there.
        redirect_uri: where the answer comes to.
        scopes: what is asked for.
        begun: the sign-in.
        max_age: how long ago the person may have proved who they are, in seconds; 0: they
            must do it now. It is always sent, since it obliges the provider to say in the
            identity token when that was (`auth_time`; OpenID Connect Core, 3.1.2.1). The
            parameter `claims` could ask for that as well, but providers need not know it.
        prompt: what the provider has to ask in any case; None leaves it to the provider.
    """
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": begun.state,
        "nonce": begun.pending.nonce,
        "code_challenge": challenge(begun.pending.verifier),
        "code_challenge_method": "S256",
        "max_age": str(max_age),
    } | ({"prompt": prompt} if prompt else {})
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def challenge(verifier: str) -> str:
    """Return the PKCE challenge of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def pending_key(state: str) -> str:
    """Return the bucket key of a sign-in; the state itself is not kept."""
    return f"oidc.{_sha256(state)}"


def check_browser(pending: Pending, cookie: str, now: datetime) -> None:
    """Make sure that the answer comes back through the browser that asked, and in time.

    Raises:
        SignInRefused: it does not.
    """
    if not cookie or not hmac.compare_digest(pending.binding, _sha256(cookie)):
        raise SignInRefused("it was begun in another browser; begin again")
    if (now - pending.started_at).total_seconds() > PENDING_SECONDS:
        raise SignInRefused("it took too long; begin again")


def check_claims(claims: Mapping[str, Any], pending: Pending, client_id: str) -> None:
    """Check what a signature and its dates do not tell (OpenID Connect Core, 3.1.3.7).

    Raises:
        SignInRefused: the identity token was made for another request or another client.
    """
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), pending.nonce.encode()
    ):
        raise SignInRefused("the identity token belongs to another request")
    audience = claims.get("aud")
    several = isinstance(audience, list) and len(audience) > 1
    party = claims.get("azp")
    if (several or party is not None) and party != client_id:
        raise SignInRefused("the identity token was made for another client")


def authenticated_at(claims: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when the person proved to the provider who they are; None: it does not say.

    Args:
        claims: of the identity token; others are not signed.
        now: UTC.

    Raises:
        SignInRefused: it is no time, or has not come yet.
    """
    said = claims.get("auth_time")
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise SignInRefused("the identity token does not say when you signed in")
    if not 0 <= said <= now.timestamp() + LEEWAY_SECONDS:  # neither NaN nor out of range
        raise SignInRefused("the identity token says that you will sign in later")
    return min(datetime.fromtimestamp(said, UTC), now)


def person(claims: Mapping[str, Any], groups_claim: str) -> Person:
    """Return the person that claims describe.

    Raises:
        SignInRefused: they do not say who it is.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise SignInRefused("the provider does not say who it is")
    return Person(
        subject=subject,
        email=_text(claims.get("email")) if _is_verified(claims) else None,
        name=_text(claims.get("name")),
        methods=frozenset({"oidc"}) | _texts(claims.get("amr")),
        groups=_texts(claims.get(groups_claim)) if groups_claim not in _RESERVED else frozenset(),
    )


def _is_verified(claims: Mapping[str, Any]) -> bool:
    """Whether the provider vouches for the address.

    Microsoft Entra ID has no `email_verified`: it says with `xms_edov` that the owner of the
    address's domain is verified (learn.microsoft.com, "Optional claims reference"). No other
    issuer's word of that name counts.
    """
    if claims.get("email_verified") is True:
        return True
    by_entra = str(claims.get("iss", "")).startswith(_ENTRA)
    return by_entra and claims.get("xms_edov") in (True, "1", "true")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(one for one in values if isinstance(one, str) and one)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
