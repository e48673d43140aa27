"""Passkeys: WebAuthn (Level 3) as py_webauthn verifies it; what is decided here is pure.

Discoverable credentials with user verification: one passkey is two factors at once, something
had and something known or been, so it signs in without a password as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.leads.auth.mfa.credentials import Credentials, Passkey

MAX_PASSKEYS: Final = 20
_NAME: Final = "Leadlog"
_TRANSPORTS: Final = {one.value: one for one in AuthenticatorTransport}
_MILLISECONDS: Final = 300_000


class PasskeyRefused(Exception):
    """The authenticator's answer does not fit; the reason is for the audit trail only.

    Attributes:
        reason: `not-valid`, `unknown` or `counter` (the passkey may have been copied).
        account_id: Whose passkey it is, when that is beyond doubt and they should hear of it.
    """

    def __init__(self, reason: str = "not-valid", account_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.account_id = account_id


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are made for.

    Attributes:
        id: The domain that they are bound to.
        origin: The only web origin that may use them.
    """

    id: str
    origin: str


def relying_party(public_url: str) -> RelyingParty:
    """Return the relying party of the address at which browsers reach this service."""
    parts = urlsplit(public_url)
    return RelyingParty(parts.hostname or "localhost", f"{parts.scheme}://{parts.netloc}")


def registration_options(
    party: RelyingParty,
    account_id: str,
    email: str,
    name: str,
    known: Sequence[Passkey],
) -> tuple[bytes, dict[str, Any]]:
    """Return a new challenge and what `navigator.credentials.create()` needs."""
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=_NAME,
        user_id=UUID(account_id).bytes,
        user_name=email,
        user_display_name=name,
        timeout=_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    return options.challenge, options_to_json_dict(options)


def registered(
    party: RelyingParty,
    challenge: bytes,
    answer: Mapping[str, Any],
    *,
    passkey_id: str,
    name: str,
    now: datetime,
) -> Passkey:
    """Return the passkey that an authenticator has made.

    Raises:
        PasskeyRefused: The answer does not fit the challenge, the domain or the origin, the
            user was not verified, or it is no answer at all.
    """
    try:
        verified = webauthn.verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001 - bytes from outside; its parsers raise all sorts of things
        raise PasskeyRefused from None
    return Passkey(
        id=passkey_id,
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=bytes_to_base64url(verified.credential_public_key),
        sign_count=verified.sign_count,
        name=name,
        added_at=now,
        transports=_transports(answer),
        synced=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
    )


def sign_in_options(
    party: RelyingParty, known: Sequence[Passkey] = ()
) -> tuple[bytes, dict[str, Any]]:
    """Return a new challenge and what `navigator.credentials.get()` needs.

    Args:
        party: Whom for.
        known: The account's passkeys as a second factor; none lets the user choose one.
    """
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        timeout=_MILLISECONDS,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options.challenge, options_to_json_dict(options)


def account_of(answer: Mapping[str, Any]) -> str:
    """Return the account that a passkey says it belongs to.

    Raises:
        PasskeyRefused: It says nothing readable.
    """
    handle = answer.get("response", {}).get("userHandle")
    try:
        return str(UUID(bytes=base64url_to_bytes(handle)))
    except Exception:  # noqa: BLE001 - bytes from outside
        raise PasskeyRefused("unknown") from None


def used(
    party: RelyingParty,
    challenge: bytes,
    answer: Mapping[str, Any],
    credentials: Credentials,
    now: datetime,
) -> tuple[Credentials, Passkey]:
    """Return the record after this use, and which passkey it was.

    Raises:
        PasskeyRefused: The passkey is not the account's, the answer does not fit, or its
            counter stands still (WebAuthn, 6.1.1): then somebody may have a copy.
    """
    known = {one.credential_id: one for one in credentials.passkeys}
    passkey = known.get(str(answer.get("id")))
    if passkey is None:
        raise PasskeyRefused("unknown")
    try:
        verified = webauthn.verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            # The counter is looked at below: only who holds the key can raise that alarm.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001 - bytes from outside; its parsers raise all sorts of things
        raise PasskeyRefused from None
    if not counter_goes_on(passkey.sign_count, verified.new_sign_count):
        raise PasskeyRefused("counter")
    after = passkey.model_copy(update={"sign_count": verified.new_sign_count, "last_used_at": now})
    return credentials.with_passkey(after), after


def counter_goes_on(before: int, now: int) -> bool:
    """Tell whether a signature counter is as it should be; 0 means that there is none."""
    return (before == 0 and now == 0) or now > before


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[_TRANSPORTS[name] for name in one.transports if name in _TRANSPORTS],
        )
        for one in passkeys
    ]


def _transports(answer: Mapping[str, Any]) -> tuple[str, ...]:
    named = answer.get("response", {}).get("transports") or ()
    return tuple(one for one in named if one in _TRANSPORTS)
