"""Access tokens: short-lived JWTs signed with EdDSA (RFC 7519, RFC 8037)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import jwt

from libs.events import new_id
from services.leads.auth.signing_keys import KeyRing

_ALGORITHM: Final = "EdDSA"
_REQUIRED: Final = ["iss", "aud", "sub", "sid", "iat", "exp", "jti"]


class BadToken(Exception):
    """The access token is not valid: forged, damaged, for another audience, or too old.

    Attributes:
        about: Whom or what it was of, as the audit trail names it, if that is known.
    """

    def __init__(self, text: str, about: str | None = None) -> None:
        super().__init__(text)
        self.about = about


class TokenExpired(BadToken):
    """It was good once; a client finds out in this way that it is time to renew it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking.

    Attributes:
        account_id: The account.
        session_id: The login this token comes from.
    """

    account_id: str
    session_id: str


class AccessTokens:
    """Issues and verifies access tokens.

    Args:
        keys: The signing keys.
        issuer: The `iss` claim.
        audience: The `aud` claim.
        lifetime: How long a token is good for.
    """

    def __init__(self, keys: KeyRing, *, issuer: str, audience: str, lifetime: timedelta) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime

    async def issue(self, identity: Identity, now: datetime) -> str:
        """Return a new token.

        Raises:
            StoreUnavailable: The signing key cannot be had.
        """
        key = await self._keys.current()
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": identity.account_id,
            "sid": identity.session_id,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": str(new_id()),
        }
        return jwt.encode(claims, key.private, algorithm=_ALGORITHM, headers={"kid": key.kid})

    async def verify(self, token: str) -> Identity:
        """Return who the token was issued to.

        Raises:
            BadToken: It is not valid now.
            StoreUnavailable: It names a key not known here, and the bucket does not answer.
        """
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.verifier(kid) if isinstance(kid, str) else None
            if key is None:
                raise BadToken("it was not signed here")
            claims = jwt.decode(
                token,
                key.public,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                # When it was issued is no condition: another replica's clock may be ahead.
                options={"require": _REQUIRED, "verify_iat": False},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("it has expired") from None
        except (jwt.PyJWTError, ValueError):
            raise BadToken("it is not valid") from None
        return Identity(str(claims["sub"]), str(claims["sid"]))
