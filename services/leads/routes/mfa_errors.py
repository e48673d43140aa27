"""What the client is told when a second factor is wrong, missing or too many."""

from collections.abc import Callable
from typing import Final

from libs.chassis.problems import ErrorTable, Problem
from services.leads.auth.mfa.allowance import TooManyChallenges
from services.leads.auth.mfa.factors import CodesPaused, NoFactor, WrongCode
from services.leads.auth.mfa.passkey_flow import PasskeyUnknown, TooManyPasskeys
from services.leads.auth.mfa.passkeys import MAX_PASSKEYS, PasskeyRefused
from services.leads.auth.mfa.policy import FRESH, LastFactor, StepUpNeeded
from services.leads.auth.mfa.sealing import CannotOpen
from services.leads.auth.mfa.sign_ins import SignInOver
from services.leads.auth.mfa.step_up import TooManyTries

TOO_MANY: Final = 429
_SECONDS: Final = int(FRESH.total_seconds())


def _fixed(*parts: str | int) -> Callable[[Exception], Problem]:
    slug, title, status, detail = parts
    return lambda _error: Problem(str(slug), str(title), int(status), str(detail))


def _paused(error: Exception) -> Problem:
    seconds = error.seconds if isinstance(error, CodesPaused | TooManyTries) else 1
    return Problem(
        "too-many-failures",
        "Too many wrong codes",
        TOO_MANY,
        f"Try again in {seconds} s. A recovery code or a passkey works at once.",
        headers={"Retry-After": str(seconds)},
    )


def _busy(error: Exception) -> Problem:
    seconds = error.seconds if isinstance(error, TooManyChallenges) else 1
    return Problem(
        "too-many-challenges",
        "Too many sign-ins were begun from this address",
        TOO_MANY,
        f"Try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def _step_up(_error: Exception) -> Problem:
    # RFC 9470: the challenge that asks for a fresher or a stronger login.
    return Problem(
        "step-up-needed",
        "Prove that it is still you",
        401,
        f"This needs a proof of the last {_SECONDS // 60} minutes: your second factor, or your"
        " password while you have none. Send it to /auth/step-up, then try again.",
        headers={
            "WWW-Authenticate": 'Bearer realm="leadlog", error="insufficient_user_authentication",'
            f' error_description="a recent proof is needed", max_age="{_SECONDS}"'
        },
    )


MFA_ERRORS: Final[ErrorTable] = {
    StepUpNeeded: _step_up,
    CodesPaused: _paused,
    TooManyTries: _paused,
    TooManyChallenges: _busy,
    WrongCode: _fixed(
        "wrong-code",
        "The code is not right",
        403,
        "It is wrong, too old, or was used before. Wait for the next one.",
    ),
    SignInOver: _fixed(
        "sign-in-over",
        "This took too long, or was tried too often",
        410,
        "Begin again.",
    ),
    PasskeyRefused: _fixed(
        "passkey-refused",
        "This passkey cannot be used",
        403,
        "It is not one of the account's, or what it signed does not fit. Begin again.",
    ),
    PasskeyUnknown: _fixed(
        "passkey-unknown", "There is no such passkey", 404, "Check the passkey's id."
    ),
    TooManyPasskeys: _fixed(
        "too-many-passkeys",
        "There are too many passkeys",
        409,
        f"An account can have {MAX_PASSKEYS}. Remove one first.",
    ),
    LastFactor: _fixed(
        "last-factor",
        "This is the only second factor",
        409,
        "Accounts of this role must have one. Add another first.",
    ),
    NoFactor: _fixed(
        "no-factor",
        "There is no second factor",
        409,
        "Recovery codes are the spare of one: add an authenticator app or a passkey first.",
    ),
    CannotOpen: _fixed(
        "secret-sealed",
        "The authenticator app cannot be checked now",
        503,
        "Use a recovery code or a passkey. The operator has to give the service its key:"
        " LEADLOG_LEADS_CREDENTIAL_KEY.",
    ),
}
