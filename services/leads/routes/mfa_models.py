"""What the operations about second factors and passkeys take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.leads.auth.mfa.credentials import Method, Passkey
from services.leads.auth.mfa.policy import AuthPolicy
from services.leads.auth.password_rules import MAX_LENGTH
from services.leads.models import Strict

Secret = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(min_length=6, max_length=6, pattern="^[0-9]{6}$")]
RecoveryCode = Annotated[str, Field(min_length=1, max_length=100)]
PasskeyName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
_Base64Url = Annotated[str, Field(max_length=20_000, pattern="^[A-Za-z0-9_=-]*$")]


class MfaStatus(BaseModel):
    """One's own second factors."""

    required: bool = Field(description="Whether the firm asks accounts of this role for one.")
    passed: bool = Field(description="Whether this login has used one.")
    totp_since: datetime | None = Field(description="When the authenticator app was added.")
    recovery_codes_left: int
    passkeys: int


class TotpEnrolment(BaseModel):
    """A secret for an authenticator app; it is shown only now."""

    enrolment: str = Field(description="Send it back with the app's first code.")
    secret: str = Field(description="For typing in: base32.")
    uri: str = Field(description="For a QR code: an `otpauth` address.")


class TotpConfirmation(Strict):
    """The first code of an authenticator app."""

    enrolment: Secret
    code: Code


class RecoveryCodes(BaseModel):
    """Codes that are each good for one sign-in; they are shown only now."""

    recovery_codes: list[str]


class NewRecoveryCodes(BaseModel):
    """Codes made with the account's first factor."""

    recovery_codes: list[str] = Field(
        description="Ten when the account had none, to be shown once; else empty."
    )


class SecondStepProof(Strict):
    """The second step of a sign-in: exactly one of `code` and `recovery_code`."""

    mfa_token: Secret = Field(description="From the answer `mfa_required` of `/auth/token`.")
    code: Code | None = Field(None, description="From the authenticator app.")
    recovery_code: RecoveryCode | None = None

    @model_validator(mode="after")
    def _one(self) -> "SecondStepProof":
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("send either code or recovery_code")
        return self


class StepUpProof(Strict):
    """Proof that it is still oneself: exactly one of the three."""

    password: str | None = Field(
        None, max_length=MAX_LENGTH, description="Only while the account has no second factor."
    )
    code: Code | None = Field(None, description="From the authenticator app.")
    recovery_code: RecoveryCode | None = None

    @model_validator(mode="after")
    def _one(self) -> "StepUpProof":
        given = [one for one in (self.password, self.code, self.recovery_code) if one is not None]
        if len(given) != 1:
            raise ValueError("send one of password, code and recovery_code")
        return self


class PasskeyOptions(BaseModel):
    """A challenge for the browser."""

    ceremony: str = Field(description="Send it back with what the browser returned.")
    options: dict[str, Any] = Field(
        description="For `PublicKeyCredential.parse…OptionsFromJSON()` (WebAuthn, Level 3)."
    )


class _BrowserAnswer(BaseModel):
    """JSON of a `PublicKeyCredential`; members that are not known are ignored."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Annotated[_Base64Url, Field(min_length=1, max_length=2000)]
    rawId: Annotated[_Base64Url, Field(min_length=1, max_length=2000)]  # noqa: N815 - WebAuthn's name
    type: Literal["public-key"]


class Attestation(BaseModel):
    """JSON of an `AuthenticatorAttestationResponse`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    clientDataJSON: _Base64Url  # noqa: N815 - WebAuthn's name
    attestationObject: _Base64Url  # noqa: N815
    transports: list[Annotated[str, Field(max_length=50)]] = Field([], max_length=10)


class Assertion(BaseModel):
    """JSON of an `AuthenticatorAssertionResponse`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    clientDataJSON: _Base64Url  # noqa: N815 - WebAuthn's name
    authenticatorData: _Base64Url  # noqa: N815
    signature: _Base64Url
    userHandle: _Base64Url | None = None  # noqa: N815


class CreatedCredential(_BrowserAnswer):
    """What `navigator.credentials.create()` returned, as `toJSON()` gives it."""

    response: Attestation


class UsedCredential(_BrowserAnswer):
    """What `navigator.credentials.get()` returned, as `toJSON()` gives it."""

    response: Assertion


class NewPasskey(Strict):
    """A passkey that the browser has made."""

    ceremony: Secret
    name: PasskeyName
    credential: CreatedCredential


class PasskeyProof(Strict):
    """A challenge that a passkey has signed."""

    ceremony: Secret
    credential: UsedCredential


class PasskeySignIn(Strict):
    """How a sign-in with a passkey begins."""

    mfa_token: Secret | None = Field(
        None, description="When it is the second step after the password; else leave it out."
    )


class PasskeyRename(Strict):
    """Another name."""

    name: PasskeyName


class PasskeyView(BaseModel):
    """One of one's own passkeys."""

    id: UUID
    name: str
    added_at: datetime
    last_used_at: datetime | None
    synced: bool = Field(description="Whether it may be on several devices.")

    @staticmethod
    def of(passkey: Passkey) -> "PasskeyView":
        """Return what its owner sees of it."""
        return PasskeyView(
            id=UUID(passkey.id),
            name=passkey.name,
            added_at=passkey.added_at,
            last_used_at=passkey.last_used_at,
            synced=passkey.synced,
        )


class PasskeyList(BaseModel):
    """One's own passkeys, oldest first."""

    passkeys: list[PasskeyView]


class PasskeyAdded(BaseModel):
    """A new passkey, and codes if it is the first factor."""

    passkey: PasskeyView
    recovery_codes: list[str] = Field(
        description="Ten when the account had none, to be shown once; else empty."
    )


class NewAuthPolicy(AuthPolicy):
    """What the firm asks of its accounts from now on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MfaRequired(BaseModel):
    """The password was right; the account asks for a second step."""

    error: Literal["mfa_required"] = "mfa_required"
    error_description: str = "a second factor is needed"
    mfa_token: str = Field(description="Goes on with this sign-in: ten minutes, five tries.")
    methods: list[Method] = Field(description="The ways to pass, the best one first.")
