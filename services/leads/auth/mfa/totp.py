"""Time-based one-time passwords (RFC 6238), as authenticator apps make them (pure).

Six digits, SHA-1, 30 seconds: what every app can do. pyotp computes; what is decided here is
which code counts. A code of the step before or after is taken as well (RFC 6238, 5.2), none
twice, and wrong ones in a row make a growing pause.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pyotp

from services.leads.auth.mfa.credentials import Totp

ISSUER: Final = "Leadlog"
STEP_SECONDS: Final = 30
WINDOW: Final = 1
FREE_FAILURES: Final = 5
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
"""Three of a million codes fit at any time, so at one try an hour a guesser who knows the
password already has a chance of about one in forty a year, and the owner a warning by mail."""
_MAX_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a code.

    Attributes:
        totp: As it is to be kept.
        accepted: Whether the code was right.
        wait: Seconds until the next code is looked at; 0 if now.
        alarm: Whether the owner should hear of the failures now.
        looked_at: Whether the code was looked at; in a pause none is.
    """

    totp: Totp
    accepted: bool
    wait: int = 0
    alarm: bool = False
    looked_at: bool = True


def new_secret() -> str:
    """Return 160 random bits in base32, the length that RFC 4226, section 4, recommends."""
    return pyotp.random_base32(32)


def enrolment_uri(secret: str, account: str) -> str:
    """Return the `otpauth` address that apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)


def code_at(secret: str, step: int) -> str:
    """Return the code of a time step."""
    return pyotp.TOTP(secret).generate_otp(step)


def step_at(now: datetime) -> int:
    """Return the number of the time step."""
    return int(now.timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the newest step near now that has this code, or None."""
    current = step_at(now)
    digits = code.encode("utf-8", "replace")
    fitting = None
    for step in range(current - WINDOW, current + WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), digits):
            fitting = step
    return fitting


def confirmed(secret: str, sealed: str, code: str, now: datetime) -> Totp | None:
    """Return the factor if the first code is right, with that code used up."""
    step = matching_step(secret, code, now)
    return None if step is None else Totp(secret=sealed, added_at=now, last_step=step)


def check(totp: Totp, secret: str, code: str, now: datetime) -> Checked:
    """Decide about a code.

    Args:
        totp: The factor as it is kept.
        secret: Its secret, opened.
        code: What was typed.
        now: UTC.
    """
    if totp.free_at is not None and totp.free_at > now:
        return Checked(totp, accepted=False, wait=_seconds(totp.free_at - now), looked_at=False)
    step = matching_step(secret, code, now)
    if step is not None and step > totp.last_step:
        fresh = totp.model_copy(update={"last_step": step, "failures": 0, "free_at": None})
        return Checked(fresh, accepted=True)
    failures = totp.failures + 1
    pause = pause_after(failures)
    free_at = now + pause if pause else None
    failed = totp.model_copy(update={"failures": failures, "free_at": free_at})
    return Checked(
        failed, accepted=False, wait=_seconds(pause), alarm=failures == FREE_FAILURES + 1
    )


def pause_after(failures: int) -> timedelta:
    """Return how long to look at no code after so many wrong ones in a row."""
    over = failures - FREE_FAILURES
    if over <= 0:
        return timedelta(0)
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(over - 1, _MAX_DOUBLINGS)))


def _seconds(pause: timedelta) -> int:
    return -int(-pause.total_seconds() // 1)
