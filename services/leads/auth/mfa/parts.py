"""Everything the second factor and passkeys need, put together."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from services.leads.auth.accounts import Bucket
from services.leads.auth.mfa.allowance import Allowance
from services.leads.auth.mfa.credentials import CredentialStore
from services.leads.auth.mfa.passkeys import RelyingParty
from services.leads.auth.mfa.policy import Policies
from services.leads.auth.mfa.sealing import Sealing
from services.leads.auth.mfa.sign_ins import SignIns
from services.leads.auth.mfa.step_up import StepUpTries


class SecondStep(BaseModel):
    """A sign-in whose first step, the password, is done."""

    account_id: str
    epoch: int
    methods: tuple[str, ...]


class Enrolment(BaseModel):
    """An authenticator app whose first code is awaited."""

    account_id: str
    sealed: str


class Ceremony(BaseModel):
    """A challenge that a passkey is to sign.

    Attributes:
        challenge: Base64url.
        account_id: Whose passkey it must be; None when the passkey says who.
        session_id: The login it belongs to; None before there is one.
        second_step: The key of the sign-in whose second step it is.
        first_methods: How that sign-in's first step was done.
        epoch: The account's epoch at that step.
    """

    challenge: str
    account_id: str | None = None
    session_id: str | None = None
    second_step: str | None = None
    first_methods: tuple[str, ...] = ()
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Mfa:
    """The parts."""

    credentials: CredentialStore
    policies: Policies
    sealing: Sealing
    party: RelyingParty
    second_steps: SignIns[SecondStep]
    enrolments: SignIns[Enrolment]
    registrations: SignIns[Ceremony]
    assertions: SignIns[Ceremony]
    step_ups: StepUpTries
    challenges: Allowance


def open_mfa(
    credentials: Bucket,
    settings_bucket: Bucket,
    sign_ins: Bucket,
    *,
    party: RelyingParty,
    keys: Sequence[str] = (),
) -> Mfa:
    """Build the parts on their buckets; nothing is read yet.

    Args:
        credentials: CREDENTIALS.
        settings_bucket: SETTINGS.
        sign_ins: SIGN_INS.
        party: Whom passkeys are made for.
        keys: That seal TOTP secrets, the newest first.

    Raises:
        BadKey: A key is not 32 bytes in base64.
    """
    return Mfa(
        credentials=CredentialStore(credentials),
        policies=Policies(settings_bucket),
        sealing=Sealing(keys),
        party=party,
        second_steps=SignIns(sign_ins, "mfa", SecondStep),
        enrolments=SignIns(sign_ins, "totp", Enrolment),
        registrations=SignIns(sign_ins, "passkey-new", Ceremony),
        assertions=SignIns(sign_ins, "passkey", Ceremony),
        step_ups=StepUpTries(sign_ins),
        challenges=Allowance(),
    )
