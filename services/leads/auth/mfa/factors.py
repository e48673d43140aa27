"""Using, adding and removing factors: no HTTP here.

Every call may raise StoreUnavailable.
"""

from datetime import datetime

from services.leads.auth.mfa import policy, recovery, totp
from services.leads.auth.mfa.credentials import Credentials
from services.leads.auth.mfa.parts import Enrolment, Mfa
from services.leads.auth.permissions import Role


class WrongCode(Exception):
    """The code is not right, or was used before.

    Attributes:
        alarm: Whether the owner should hear of it: there have been many.
    """

    def __init__(self, *, alarm: bool = False) -> None:
        super().__init__()
        self.alarm = alarm


class CodesPaused(Exception):
    """There were too many wrong codes; recovery codes and passkeys still work.

    Attributes:
        seconds: Until the next code is looked at.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class NoFactor(Exception):
    """The account has no second factor, so there is nothing to do this with."""


async def begin_totp(mfa: Mfa, account_id: str, label: str, now: datetime) -> tuple[str, str, str]:
    """Make a secret for an authenticator app; it counts once a code of it was confirmed.

    Args:
        mfa: The parts.
        account_id: Whose.
        label: What the app shows beside it.
        now: UTC.

    Returns:
        The enrolment's name, the secret, and its `otpauth` address.
    """
    secret = totp.new_secret()
    state = Enrolment(account_id=account_id, sealed=mfa.sealing.seal(secret, account_id))
    return await mfa.enrolments.begin(state, now), secret, totp.enrolment_uri(secret, label)


async def confirm_totp(
    mfa: Mfa, account_id: str, enrolment: str, code: str, now: datetime
) -> tuple[str, ...]:
    """Let the app count from now on, in the place of an earlier one.

    Returns:
        New recovery codes if the account had none, to be shown once.

    Raises:
        SignInOver: The enrolment is unknown, somebody else's, too old or tried too often.
        WrongCode: The code is not the app's.
    """
    found = await mfa.enrolments.attempt(enrolment, now)
    sealed, owner = found.state.sealed, found.state.account_id
    secret = mfa.sealing.open(sealed, owner)
    factor = totp.confirmed(secret, sealed, code, now)
    if owner != account_id or factor is None:
        raise WrongCode
    await mfa.enrolments.finish(enrolment, now)
    codes = recovery.new_codes()
    return await mfa.credentials.change(
        account_id,
        lambda before: with_spare_codes(before.model_copy(update={"totp": factor}), codes),
    )


def with_spare_codes(
    credentials: Credentials, codes: tuple[str, ...]
) -> tuple[Credentials, tuple[str, ...]]:
    """Return the record with these codes if it has none yet, and those to be shown (pure)."""
    if credentials.recovery_codes:
        return credentials, ()
    return recovery.with_codes(credentials, codes), codes


async def remove_totp(mfa: Mfa, account_id: str, role: Role) -> bool:
    """Take the authenticator app away; returns whether there was one.

    Raises:
        LastFactor: The role must have a factor, and this is the only one.
    """
    rules = await mfa.policies.current()

    def edit(before: Credentials) -> tuple[Credentials, bool]:
        if before.totp is None:
            return before, False
        after = before.without_totp()
        policy.check_removal(after, role, rules)
        return after, True

    return await mfa.credentials.change(account_id, edit)


async def renew_recovery_codes(mfa: Mfa, account_id: str) -> tuple[str, ...]:
    """Return new codes; the old ones are worth nothing any more.

    Raises:
        NoFactor: There is nothing they could be the spare of.
    """
    codes = recovery.new_codes()

    def edit(before: Credentials) -> tuple[Credentials, None]:
        if not before.has_factor:
            raise NoFactor
        return recovery.with_codes(before, codes), None

    await mfa.credentials.change(account_id, edit)
    return codes


async def use_code(mfa: Mfa, account_id: str, code: str, now: datetime) -> None:
    """Use a code of the authenticator app; of two uses at once, one counts.

    Raises:
        WrongCode: It is wrong, used before, or there is no app.
        CodesPaused: There were too many wrong ones.
        CannotOpen: The secret cannot be read with the keys that are set.
    """

    def edit(before: Credentials) -> tuple[Credentials, totp.Checked | None]:
        if before.totp is None:
            return before, None
        secret = mfa.sealing.open(before.totp.secret, account_id)
        checked = totp.check(before.totp, secret, code, now)
        kept = checked.totp
        if checked.accepted:  # sealed anew, so that a new key comes into use by itself
            kept = kept.model_copy(update={"secret": mfa.sealing.seal(secret, account_id)})
        return before.model_copy(update={"totp": kept}), checked

    checked = await mfa.credentials.change(account_id, edit)
    if checked is None:
        raise WrongCode
    if checked.accepted:
        return
    if checked.looked_at:
        raise WrongCode(alarm=checked.alarm)
    raise CodesPaused(checked.wait)


async def use_recovery_code(mfa: Mfa, account_id: str, code: str) -> int:
    """Use a recovery code up; returns how many are left.

    Raises:
        WrongCode: It is none of those that are left.
    """

    def edit(before: Credentials) -> tuple[Credentials, int | None]:
        after, found = recovery.used(before, code)
        return after, len(after.recovery_codes) if found else None

    left = await mfa.credentials.change(account_id, edit)
    if left is None:
        raise WrongCode
    return left
