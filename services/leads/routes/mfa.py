"""One's own second factor: the authenticator app, recovery codes, and proving oneself again."""

from typing import Final

from aiohttp import web

from libs.chassis.api import parse_json
from services.leads.audit import note
from services.leads.auth import login
from services.leads.auth.login import Refused, SlowDown
from services.leads.auth.mfa import factors
from services.leads.auth.mfa.factors import WrongCode
from services.leads.auth.mfa.policy import MFA, StepUpNeeded
from services.leads.auth.mfa.second_step import ONE_TIME_CODE
from services.leads.auth.mfa.step_up import TooManyTries
from services.leads.keys import AUTH, now
from services.leads.refusals import note_refusal
from services.leads.routes.api import api
from services.leads.routes.client import client_info
from services.leads.routes.mfa_errors import TOO_MANY
from services.leads.routes.mfa_models import (
    MfaStatus,
    NewRecoveryCodes,
    RecoveryCodes,
    StepUpProof,
    TotpConfirmation,
    TotpEnrolment,
)
from services.leads.routes.notices import tell_owner
from services.leads.routes.recent import RECENT, Me, me, me_just_proved
from services.leads.routes.responses import model_response

TAGS: Final = ["second factor"]


@api.operation(
    "GET",
    "/auth/mfa",
    summary="One's own second factors",
    responses={200: MfaStatus},
    security=True,
    tags=TAGS,
)
async def show_mfa(request: web.Request) -> web.Response:
    """Answer what there is; no secret."""
    asking = await me(request)
    rules = await request.app[AUTH].mfa.policies.current()
    own = asking.credentials
    return model_response(
        MfaStatus(
            required=asking.stored.account.role in rules.mfa_required_for,
            passed=MFA in asking.session.methods,
            totp_since=own.totp.added_at if own.totp else None,
            recovery_codes_left=len(own.recovery_codes),
            passkeys=len(own.passkeys),
        )
    )


@api.operation(
    "POST",
    "/auth/mfa/totp",
    summary="Begin to add an authenticator app",
    description=f"It counts once its first code is confirmed, within ten minutes. {RECENT}",
    responses={201: TotpEnrolment},
    security=True,
    tags=TAGS,
)
async def begin_totp(request: web.Request) -> web.Response:
    """Answer a secret, this once."""
    asking = await me_just_proved(request)
    enrolment, secret, uri = await factors.begin_totp(
        request.app[AUTH].mfa, asking.account_id, asking.stored.account.email, now()
    )
    answer = TotpEnrolment(enrolment=enrolment, secret=secret, uri=uri)
    return model_response(answer, status=201)


@api.operation(
    "POST",
    "/auth/mfa/totp/confirm",
    summary="Confirm an authenticator app by its first code",
    description=(
        "From now on signing in with the password takes a code as well. An app that was there"
        f" before counts no more. {RECENT}"
    ),
    body=TotpConfirmation,
    responses={200: NewRecoveryCodes},
    problems=(410, 503),
    security=True,
    tags=TAGS,
)
async def confirm_totp(request: web.Request) -> web.Response:
    """Let the app count, and this login with it."""
    asking = await me_just_proved(request)
    sent = await parse_json(request, TotpConfirmation)
    auth, at = request.app[AUTH], now()
    codes = await factors.confirm_totp(auth.mfa, asking.account_id, sent.enrolment, sent.code, at)
    await note(request, "mfa.totp-added", target=f"account:{asking.account_id}")
    await login.strengthen(auth, asking.session_id, ONE_TIME_CODE, at)
    await tell_owner(request, asking.stored.account, "mfa-enrolled")
    return model_response(NewRecoveryCodes(recovery_codes=list(codes)))


@api.operation(
    "DELETE",
    "/auth/mfa/totp",
    summary="Remove the authenticator app",
    description=f"Refused when it is the only factor and the role must have one. {RECENT}",
    responses={204: None},
    problems=(409, 503),
    security=True,
    tags=TAGS,
)
async def remove_totp(request: web.Request) -> web.Response:
    """Take the app away; there need not be one."""
    asking = await me_just_proved(request)
    account = asking.stored.account
    if await factors.remove_totp(request.app[AUTH].mfa, account.id, account.role):
        await note(request, "mfa.totp-removed", target=f"account:{account.id}")
        await tell_owner(request, account, "mfa-removed")
    return web.Response(status=204)


@api.operation(
    "POST",
    "/auth/mfa/recovery-codes",
    summary="Make new recovery codes",
    description=f"Ten, each good for one sign-in; earlier ones are void. {RECENT}",
    responses={201: RecoveryCodes},
    problems=(409, 503),
    security=True,
    tags=TAGS,
)
async def renew_recovery_codes(request: web.Request) -> web.Response:
    """Answer new codes, this once."""
    asking = await me_just_proved(request)
    codes = await factors.renew_recovery_codes(request.app[AUTH].mfa, asking.account_id)
    await note(request, "mfa.recovery-codes-renewed", target=f"account:{asking.account_id}")
    await tell_owner(request, asking.stored.account, "recovery-codes-renewed")
    return model_response(RecoveryCodes(recovery_codes=list(codes)), status=201)


@api.operation(
    "POST",
    "/auth/step-up",
    summary="Prove that it is still you",
    description=(
        "Before something that changes how one signs in. Who has a second factor proves it with"
        " that (a passkey: `/auth/step-up/passkey`), the others with their password. Five tries"
        " in ten minutes."
    ),
    body=StepUpProof,
    responses={204: None},
    problems=(TOO_MANY, 503),
    security=True,
    tags=TAGS,
)
async def step_up(request: web.Request) -> web.Response:
    """Make this login fresh, and as strong as the proof."""
    asking = await me(request)
    proof = await parse_json(request, StepUpProof)
    auth, at = request.app[AUTH], now()
    await auth.mfa.step_ups.count(asking.session_id, at)
    try:
        methods = await _proved(request, asking, proof)
    except WrongCode as wrong:
        await _refused(request, asking, alarm=wrong.alarm)
        raise
    await auth.mfa.step_ups.forget(asking.session_id)
    await note(request, "session.step-up", target=f"account:{asking.account_id}")
    await login.strengthen(auth, asking.session_id, methods, at)
    return web.Response(status=204)


async def _proved(request: web.Request, asking: Me, proof: StepUpProof) -> frozenset[str]:
    auth = request.app[AUTH]
    if proof.code is not None:
        await factors.use_code(auth.mfa, asking.account_id, proof.code, now())
        return ONE_TIME_CODE
    if proof.recovery_code is not None:
        await factors.use_recovery_code(auth.mfa, asking.account_id, proof.recovery_code)
        await tell_owner(request, asking.stored.account, "recovery-code-used")
        return ONE_TIME_CODE
    if asking.credentials.has_factor:  # a password alone must not be able to take it away
        raise StepUpNeeded
    try:
        await login.authenticate(
            auth, asking.stored.key, proof.password or "", client_info(request).address
        )
    except Refused:
        raise WrongCode from None
    except SlowDown as slow:
        own = f"account:{asking.account_id}"
        note_refusal(request, "session.step-up", reason="slowed-down", target=own)
        raise TooManyTries(slow.seconds) from None
    return frozenset({"pwd"})


async def _refused(request: web.Request, asking: Me, *, alarm: bool) -> None:
    await note(request, "session.step-up", target=f"account:{asking.account_id}", outcome="refused")
    if alarm:
        await tell_owner(request, asking.stored.account, "second-factor-guessed")
