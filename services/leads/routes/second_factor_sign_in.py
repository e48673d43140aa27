"""Signing in beyond the password: its second step, or a passkey in its place."""

from typing import Final

from aiohttp import web

from libs.chassis.api import parse_json
from services.leads.audit import note
from services.leads.auth import login
from services.leads.auth.accounts import find_by_id
from services.leads.auth.mfa import passkey_flow, second_step
from services.leads.auth.mfa.factors import CodesPaused, WrongCode
from services.leads.auth.mfa.passkeys import PasskeyRefused
from services.leads.auth.mfa.second_step import Passed
from services.leads.auth.mfa.sign_ins import SignInOver
from services.leads.keys import AUTH, now
from services.leads.refusals import note_refusal
from services.leads.routes.api import api
from services.leads.routes.client import client_info
from services.leads.routes.mfa_errors import TOO_MANY
from services.leads.routes.mfa_models import (
    PasskeyOptions,
    PasskeyProof,
    PasskeySignIn,
    SecondStepProof,
)
from services.leads.routes.notices import tell_owner
from services.leads.routes.responses import model_response
from services.leads.routes.token import TokenAnswer, token_response

TAGS: Final = ["login"]


@api.operation(
    "POST",
    "/auth/token/second-step",
    summary="Log in: the second step after the password",
    description=(
        "With the `mfa_token` of the answer `mfa_required`, and a code of the authenticator app"
        " or a recovery code. A passkey: `/auth/token/passkey`."
    ),
    body=SecondStepProof,
    responses={200: TokenAnswer},
    problems=(403, 410, TOO_MANY, 503),
    tags=TAGS,
)
async def pass_second_step(request: web.Request) -> web.Response:
    """Answer tokens for a code."""
    proof = await parse_json(request, SecondStepProof)
    mfa, at = request.app[AUTH].mfa, now()
    account_id = await second_step.whose(mfa, proof.mfa_token, at)
    method = "otp" if proof.code is not None else "recovery-code"
    try:
        if proof.code is not None:
            passed = await second_step.with_code(mfa, proof.mfa_token, proof.code, at)
        else:
            passed = await second_step.with_recovery_code(
                mfa, proof.mfa_token, proof.recovery_code or "", at
            )
    except CodesPaused:
        own = f"account:{account_id}"
        note_refusal(request, f"sign-in.{method}", reason="slowed-down", target=own)
        raise
    except WrongCode as wrong:
        await _refused(request, account_id, method, "wrong-code")
        if wrong.alarm:
            await _tell(request, account_id, "second-factor-guessed")
        raise
    if method == "recovery-code":
        await _tell(request, account_id, "recovery-code-used")
    return await _signed_in(request, passed, method)


@api.operation(
    "POST",
    "/auth/token/passkey/options",
    summary="Log in with a passkey: the challenge",
    description=(
        "Without `mfa_token` any passkey signs in, and no email address or password is needed;"
        " with it, it is the second step after the password."
    ),
    body=PasskeySignIn,
    responses={201: PasskeyOptions},
    problems=(410, TOO_MANY, 503),
    tags=TAGS,
)
async def begin_passkey_sign_in(request: web.Request) -> web.Response:
    """Answer what `navigator.credentials.get()` needs."""
    sent = await parse_json(request, PasskeySignIn)
    mfa = request.app[AUTH].mfa
    mfa.challenges.take(client_info(request).address)
    ceremony, options = await passkey_flow.begin_sign_in(mfa, sent.mfa_token, now())
    return model_response(PasskeyOptions(ceremony=ceremony, options=options), status=201)


@api.operation(
    "POST",
    "/auth/token/passkey",
    summary="Log in with a passkey",
    body=PasskeyProof,
    responses={200: TokenAnswer},
    problems=(403, 410, 503),
    tags=TAGS,
)
async def sign_in_with_passkey(request: web.Request) -> web.Response:
    """Answer tokens for a signed challenge."""
    sent = await parse_json(request, PasskeyProof)
    answer = sent.credential.model_dump(exclude_none=True)
    try:
        passed = await passkey_flow.prove(request.app[AUTH].mfa, sent.ceremony, answer, now())
    except PasskeyRefused as refused:
        await note(request, "sign-in.passkey", outcome="refused", reason=refused.reason)
        if refused.account_id is not None:
            await _tell(request, refused.account_id, "passkey-copied")
        raise
    return await _signed_in(request, passed, "passkey")


async def _signed_in(request: web.Request, passed: Passed, method: str) -> web.Response:
    auth = request.app[AUTH]
    stored = await find_by_id(auth.accounts, passed.account_id)
    if stored is None or not stored.account.active:
        await _refused(request, passed.account_id, method, "not-active")
        raise SignInOver
    if passed.epoch is not None and passed.epoch != stored.account.epoch:
        await _refused(request, passed.account_id, method, "password-changed")
        raise SignInOver
    actor = f"account:{passed.account_id}"
    await note(request, f"sign-in.{method}", actor=actor, target=actor)
    client = client_info(request)
    tokens = await login.start_session(
        auth, stored, methods=passed.methods, now=now(), client=client
    )
    return token_response(auth, tokens)


async def _refused(request: web.Request, account_id: str, method: str, reason: str) -> None:
    target = f"account:{account_id}"
    await note(request, f"sign-in.{method}", target=target, outcome="refused", reason=reason)


async def _tell(request: web.Request, account_id: str, notice: str) -> None:
    stored = await find_by_id(request.app[AUTH].accounts, account_id)
    if stored is not None:
        await tell_owner(request, stored.account, notice)
