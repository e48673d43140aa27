"""Ceremonies with passkeys: a challenge is kept here, signed there, and used once.

Every call may raise StoreUnavailable.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from libs.events import new_id
from services.leads.auth.accounts import Account
from services.leads.auth.mfa import passkeys, policy, recovery
from services.leads.auth.mfa.credentials import Credentials, Passkey
from services.leads.auth.mfa.factors import with_spare_codes
from services.leads.auth.mfa.parts import Ceremony, Mfa
from services.leads.auth.mfa.passkeys import MAX_PASSKEYS, PasskeyRefused
from services.leads.auth.mfa.policy import MFA
from services.leads.auth.mfa.second_step import Passed
from services.leads.auth.mfa.sign_ins import SignInOver
from services.leads.auth.permissions import Role

Options = dict[str, Any]


class TooManyPasskeys(Exception):
    """The account has as many as it can have."""


class PasskeyUnknown(Exception):
    """The account has no such passkey."""


async def begin_registration(
    mfa: Mfa, account: Account, session_id: str, now: datetime
) -> tuple[str, Options]:
    """Return the ceremony's name and what `navigator.credentials.create()` needs."""
    known = (await mfa.credentials.read(account.id)).passkeys
    challenge, options = passkeys.registration_options(
        mfa.party, account.id, account.email, account.name, known
    )
    ceremony = Ceremony(
        challenge=bytes_to_base64url(challenge), account_id=account.id, session_id=session_id
    )
    return await mfa.registrations.begin(ceremony, now), options


async def register(
    mfa: Mfa,
    session_id: str,
    name: str,
    ceremony_id: str,
    answer: Mapping[str, Any],
    now: datetime,
) -> tuple[Passkey, tuple[str, ...]]:
    """Keep the passkey that was made; returns it, and recovery codes if there were none.

    Raises:
        SignInOver: The ceremony is unknown, over, or another login's.
        PasskeyRefused: The answer does not fit.
        TooManyPasskeys: There is no room for it.
    """
    ceremony = await mfa.registrations.take(ceremony_id, now)
    if ceremony.account_id is None or ceremony.session_id != session_id:
        raise SignInOver
    passkey = passkeys.registered(
        mfa.party,
        base64url_to_bytes(ceremony.challenge),
        answer,
        passkey_id=str(new_id()),
        name=name,
        now=now,
    )
    codes = recovery.new_codes()

    def edit(before: Credentials) -> tuple[Credentials, tuple[str, ...]]:
        if len(before.passkeys) >= MAX_PASSKEYS:
            raise TooManyPasskeys
        if any(one.credential_id == passkey.credential_id for one in before.passkeys):
            raise PasskeyRefused
        return with_spare_codes(before.with_passkey(passkey), codes)

    return passkey, await mfa.credentials.change(ceremony.account_id, edit)


async def begin_sign_in(mfa: Mfa, second_step: str | None, now: datetime) -> tuple[str, Options]:
    """Return the ceremony's name and what `navigator.credentials.get()` needs.

    Args:
        mfa: The parts.
        second_step: The token of a sign-in whose second step it is to be; None lets the user
            choose any passkey, which says by itself whose it is.
        now: UTC.

    Raises:
        SignInOver: There is no such sign-in, or it was tried too often.
    """
    if second_step is None:
        challenge, options = passkeys.sign_in_options(mfa.party)
        ceremony = Ceremony(challenge=bytes_to_base64url(challenge))
        return await mfa.assertions.begin(ceremony, now), options
    found = await mfa.second_steps.attempt(second_step, now)
    known = (await mfa.credentials.read(found.state.account_id)).passkeys
    challenge, options = passkeys.sign_in_options(mfa.party, known)
    ceremony = Ceremony(
        challenge=bytes_to_base64url(challenge),
        account_id=found.state.account_id,
        second_step=found.key,
        first_methods=found.state.methods,
        epoch=found.state.epoch,
    )
    return await mfa.assertions.begin(ceremony, now), options


async def begin_step_up(
    mfa: Mfa, account_id: str, session_id: str, now: datetime
) -> tuple[str, Options]:
    """Return what proves a login again, with one of the account's own passkeys."""
    known = (await mfa.credentials.read(account_id)).passkeys
    challenge, options = passkeys.sign_in_options(mfa.party, known)
    ceremony = Ceremony(
        challenge=bytes_to_base64url(challenge), account_id=account_id, session_id=session_id
    )
    return await mfa.assertions.begin(ceremony, now), options


async def prove(
    mfa: Mfa,
    ceremony_id: str,
    answer: Mapping[str, Any],
    now: datetime,
    *,
    session_id: str | None = None,
) -> Passed:
    """Check what a passkey has signed; the challenge is used up whatever comes of it.

    Args:
        mfa: The parts.
        ceremony_id: From the options.
        answer: What `navigator.credentials.get()` returned, as JSON.
        now: UTC.
        session_id: The login that proves itself again; None for a sign-in.

    Raises:
        SignInOver: The ceremony is unknown, over, or was begun for something else.
        PasskeyRefused: The answer does not fit.
    """
    ceremony = await mfa.assertions.take(ceremony_id, now)
    if ceremony.session_id != session_id:
        raise SignInOver
    said = ceremony.account_id or passkeys.account_of(answer)
    challenge = base64url_to_bytes(ceremony.challenge)
    try:
        passkey = await mfa.credentials.change(
            said, lambda before: passkeys.used(mfa.party, challenge, answer, before, now)
        )
    except PasskeyRefused as refused:
        told = said if refused.reason == "counter" else None
        raise PasskeyRefused(refused.reason, told) from None
    if ceremony.second_step is not None:
        await mfa.second_steps.finish_key(ceremony.second_step, now)
    return Passed(said, ceremony.epoch, methods_of(passkey) | frozenset(ceremony.first_methods))


def methods_of(passkey: Passkey) -> frozenset[str]:
    """Return how RFC 8176 calls a sign-in with this passkey.

    A key in hardware or one that is synced, and the user's presence; as the user was verified
    as well, it is more than one factor.
    """
    return frozenset({"swk" if passkey.synced else "hwk", "user", MFA})


async def rename(mfa: Mfa, account_id: str, passkey_id: str, name: str) -> Passkey:
    """Give a passkey another name; returns it.

    Raises:
        PasskeyUnknown: There is none with this id.
    """

    def edit(before: Credentials) -> tuple[Credentials, Passkey]:
        renamed = _one(before, passkey_id).model_copy(update={"name": name})
        return before.with_passkey(renamed), renamed

    return await mfa.credentials.change(account_id, edit)


async def remove(mfa: Mfa, account_id: str, role: Role, passkey_id: str) -> None:
    """Take a passkey away.

    Raises:
        PasskeyUnknown: There is none with this id.
        LastFactor: The role must have a factor, and this is the only one.
    """
    rules = await mfa.policies.current()

    def edit(before: Credentials) -> tuple[Credentials, None]:
        after = before.without_passkey(_one(before, passkey_id).id)
        policy.check_removal(after, role, rules)
        return after, None

    await mfa.credentials.change(account_id, edit)


def _one(credentials: Credentials, passkey_id: str) -> Passkey:
    for passkey in credentials.passkeys:
        if passkey.id == passkey_id:
            return passkey
    raise PasskeyUnknown
