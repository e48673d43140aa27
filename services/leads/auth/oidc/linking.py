"""Which account a person at the provider is.

Two notes say so. The pointer `oidc.<hash of issuer and subject>` names the account; the account
names the pointer (`Account.identity`), so that it is one person's only. Whoever gets an address
later than its first owner finds the account taken.
"""

import hashlib
from dataclasses import dataclass, replace

from libs.chassis.buckets import KeyExists, WrongRevision
from services.leads.auth import accounts, passwords
from services.leads.auth.accounts import Account, AccountExists, Bucket, StoredAccount
from services.leads.auth.oidc.flow import Person, SignInRefused
from services.leads.auth.permissions import Role
from services.leads.auth.tries import Tries

_POINTERS = "oidc."
_NO_ACCOUNT = "there is no active account for you here; ask an administrator"
_TAKEN = "this account is linked to another person at the provider; an administrator can unlink it"


@dataclass(frozen=True, slots=True)
class Found:
    """The account of a person.

    Attributes:
        stored: the account.
        linked_now: whether it became theirs just now.
    """

    stored: StoredAccount
    linked_now: bool = False


async def account_of(
    bucket: Bucket, issuer: str, person: Person, role: Role | None, *, may_create: bool
) -> Found:
    """Return the person's account.

    A person is known by the provider's own name for them. The first time, an address that the
    provider has verified finds the account; from then on an address is never looked at again,
    so that nobody gets an account by taking over an address.

    Args:
        bucket: ACCOUNTS.
        issuer: whose subject it is.
        person: who signs in.
        role: for a new account; None: viewer.
        may_create: whether somebody without an account gets one.

    Raises:
        SignInRefused: there is no account for them, it is not active, or it is another's.
        StoreUnavailable: the bucket does not answer.
    """
    link = link_of(issuer, person.subject)
    pointer = await bucket.get(link)
    if pointer is not None:
        return Found(await _bound(bucket, pointer.value.decode(), link, first_time=False))
    key = await _by_address(bucket, person, role, may_create=may_create)
    stored = await _bound(bucket, key, link, first_time=True)
    try:
        await bucket.create(link, key.encode())
    except KeyExists:  # the same person in another window
        return Found(stored)
    return Found(stored, linked_now=True)


async def unlink(bucket: Bucket, account_id: str) -> Account:
    """Let an account be nobody's at the provider again; its sessions end within seconds.

    The next person whose verified address it has gets it.

    Raises:
        AccountUnknown: there is none with this id.
        StoreUnavailable: the bucket does not answer.
    """
    stored = await accounts.find_by_id(bucket, account_id)
    if stored is None:
        raise accounts.AccountUnknown("there is no account with this id")
    # The pointers first: a sign-in that still sees one fails at the account, which changes next.
    for pointer in await _pointers_to(bucket, stored.key):
        await bucket.delete(pointer)
    return await accounts.change(bucket, stored.key, _without_identity)


async def is_linked(bucket: Bucket, account: Account) -> bool:
    """Tell whether an account is somebody's at the provider, also since before it said so.

    Raises:
        StoreUnavailable: the bucket does not answer.
    """
    if account.identity is not None:
        return True
    return bool(await _pointers_to(bucket, accounts.account_key(account.email)))


def link_of(issuer: str, subject: str) -> str:
    """Return the bucket key that stands for a person at the provider; it tells nothing of them."""
    return f"{_POINTERS}{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()}"


async def _by_address(
    bucket: Bucket, person: Person, role: Role | None, *, may_create: bool
) -> str:
    if person.email is None:
        raise SignInRefused("the provider has not verified your email address")
    key = accounts.account_key(person.email)
    if await bucket.get(key) is None:
        if not may_create:
            raise SignInRefused("there is no account with your address; ask an administrator")
        await _create(bucket, person, role)
    return key


async def _bound(bucket: Bucket, key: str, link: str, *, first_time: bool) -> StoredAccount:
    """Return the account if it is this person's; one that is nobody's becomes theirs."""
    tries = Tries()
    while True:
        stored = await accounts.find(bucket, key)
        if stored is None or not stored.account.active:
            raise SignInRefused(_NO_ACCOUNT)
        owner = stored.account.identity
        if owner is None:
            # From before accounts named their person there may be pointers alone; the oldest
            # is of who had the account first.
            pointers = await _pointers_to(bucket, key)
            if not pointers and not first_time:
                raise SignInRefused("your account was unlinked just now; begin again")
            owner = pointers[0] if pointers else link
            account = stored.account.model_copy(update={"identity": owner})
            try:
                revision = await bucket.update(
                    key, account.model_dump_json().encode(), stored.revision
                )
            except WrongRevision:
                await tries.again()
                continue
            stored = replace(stored, account=account, revision=revision)
        if owner != link:
            raise SignInRefused(_TAKEN)
        return stored


async def _pointers_to(bucket: Bucket, key: str) -> list[str]:
    """Return the pointers to an account, the oldest first; read when one is linked or unlinked."""
    found = [
        (entry.revision, name)
        for name in await bucket.keys()
        if name.startswith(_POINTERS)
        and (entry := await bucket.get(name)) is not None
        and entry.value.decode() == key
    ]
    return [name for _, name in sorted(found)]


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


def _without_identity(account: Account) -> Account:
    return account.model_copy(update={"identity": None, "epoch": account.epoch + 1})
