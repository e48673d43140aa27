"""Which account a person at the provider is."""

import hashlib
from dataclasses import replace

from libs.chassis.buckets import KeyExists
from services.leads.auth import accounts, passwords
from services.leads.auth.accounts import Account, AccountExists, Bucket, StoredAccount
from services.leads.auth.oidc.flow import Person, SignInRefused
from services.leads.auth.permissions import Role


async def account_of(
    bucket: Bucket, issuer: str, person: Person, role: Role | None, *, may_create: bool
) -> StoredAccount:
    """Return the person's account, with the role that the provider gives.

    A person is known by the provider's own name for them. The first time, an address that the
    provider has verified finds the account; from then on an address is never looked at again,
    so that nobody gets an account by taking over an address.

    Args:
        bucket: ACCOUNTS.
        issuer: whose subject it is.
        person: who signs in.
        role: what their groups give; None leaves an account's role alone.
        may_create: whether somebody without an account gets one.

    Raises:
        SignInRefused: there is no account for them, or it is not active.
        StoreUnavailable: the bucket does not answer.
    """
    link = _link(issuer, person.subject)
    pointer = await bucket.get(link)
    key = (
        pointer.value.decode()
        if pointer
        else await _first_time(bucket, link, person, role, may_create=may_create)
    )
    stored = await accounts.find(bucket, key)
    if stored is None or not stored.account.active:
        raise SignInRefused("there is no active account for you here; ask an administrator")
    if role is None or stored.account.role is role:
        return stored
    return replace(stored, account=await accounts.change(bucket, key, lambda a: _with(a, role)))


async def _first_time(
    bucket: Bucket, link: str, person: Person, role: Role | None, *, may_create: bool
) -> str:
    if person.email is None:
        raise SignInRefused("the provider has not verified your email address")
    key = accounts.account_key(person.email)
    if await bucket.get(key) is None:
        if not may_create:
            raise SignInRefused("there is no account with your address; ask an administrator")
        await _create(bucket, person, role)
    try:
        await bucket.create(link, key.encode())
    except KeyExists:  # the same person in another window
        pointer = await bucket.get(link)
        return pointer.value.decode() if pointer else key
    return key


async def _create(bucket: Bucket, person: Person, role: Role | None) -> None:
    email = person.email or ""
    try:
        # A password that nobody knows: the provider is the way in, until one is set by mail.
        await accounts.create_account(
            bucket,
            email,
            person.name or email.partition("@")[0],
            passwords.generate(),
            role=role or Role.VIEWER,
        )
    except AccountExists:
        return
    except accounts.BadAccount:
        raise SignInRefused("the provider's name or address for you cannot be used") from None


def _link(issuer: str, subject: str) -> str:
    return f"oidc.{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()}"


def _with(account: Account, role: Role) -> Account:
    return account.model_copy(update={"role": role})
