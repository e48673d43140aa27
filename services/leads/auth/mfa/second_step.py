"""The second step of a sign-in, between the password and the session: no HTTP here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.leads.auth.accounts import Account
from services.leads.auth.mfa import factors
from services.leads.auth.mfa.credentials import Method
from services.leads.auth.mfa.parts import Mfa, SecondStep
from services.leads.auth.mfa.policy import MFA

ONE_TIME_CODE: Final = frozenset({"otp", MFA})
"""How RFC 8176 calls it; a recovery code is a one-time password (RFC 4949) as well."""


class SecondStepNeeded(Exception):
    """The first step was right; the account asks for a second one.

    Attributes:
        token: Goes on with this sign-in.
        methods: The ways to do so.
    """

    def __init__(self, token: str, methods: tuple[Method, ...]) -> None:
        super().__init__()
        self.token = token
        self.methods = methods


@dataclass(frozen=True, slots=True)
class Passed:
    """A sign-in that is complete.

    Attributes:
        account_id: Whose.
        epoch: The account's at the first step; None if there was only one step.
        methods: How it was proved (RFC 8176).
    """

    account_id: str
    epoch: int | None
    methods: frozenset[str]


async def demand(mfa: Mfa, account: Account, methods: frozenset[str], now: datetime) -> None:
    """Let the sign-in go on only if the account has no second factor.

    Args:
        mfa: The parts.
        account: Whose first step was right.
        methods: How it was done.
        now: UTC.

    Raises:
        SecondStepNeeded: It has one.
        StoreUnavailable: A bucket does not answer.
    """
    credentials = await mfa.credentials.read(account.id)
    if not credentials.has_factor:
        return
    state = SecondStep(account_id=account.id, epoch=account.epoch, methods=tuple(sorted(methods)))
    raise SecondStepNeeded(await mfa.second_steps.begin(state, now), credentials.methods)


async def whose(mfa: Mfa, token: str, now: datetime) -> str:
    """Count a try at a sign-in's second step; returns the account's id.

    Raises:
        SignInOver: It is unknown, over, or was tried too often.
        StoreUnavailable: A bucket does not answer.
    """
    return (await mfa.second_steps.attempt(token, now)).state.account_id


async def with_code(mfa: Mfa, token: str, code: str, now: datetime) -> Passed:
    """Complete a sign-in, whose try is counted, with the authenticator app.

    Raises:
        SignInOver: It is over.
        WrongCode, CodesPaused, CannotOpen, StoreUnavailable: As for `factors.use_code`.
    """
    state = (await mfa.second_steps.look(token, now)).state
    await factors.use_code(mfa, state.account_id, code, now)
    return await _passed(mfa, token, state, now)


async def with_recovery_code(mfa: Mfa, token: str, code: str, now: datetime) -> Passed:
    """Complete a sign-in, whose try is counted, with a recovery code.

    Raises:
        SignInOver: It is over.
        WrongCode, StoreUnavailable: As for `factors.use_recovery_code`.
    """
    state = (await mfa.second_steps.look(token, now)).state
    await factors.use_recovery_code(mfa, state.account_id, code)
    return await _passed(mfa, token, state, now)


async def _passed(mfa: Mfa, token: str, state: SecondStep, now: datetime) -> Passed:
    await mfa.second_steps.finish(token, now)
    return Passed(state.account_id, state.epoch, frozenset(state.methods) | ONE_TIME_CODE)
