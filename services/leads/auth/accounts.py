"""Attorneys' accounts, in the bucket ACCOUNTS.

Two entries each: `account.<hash of the address>` holds the record, and `id.<account id>` its
key, since history and tokens name accounts by id. No key holds an address in the clear.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict

from libs.chassis.buckets import Entry, KeyExists, WrongRevision
from libs.events import new_id
from services.leads.auth import passwords
from services.leads.auth.password_rules import check_password
from services.leads.auth.passwords import Passwords
from services.leads.auth.permissions import Role
from services.leads.auth.tries import Tries
from services.leads.text import email_key

ACCOUNTS: Final = "ACCOUNTS"
MAX_NAME: Final = 200
_PREFIX: Final = "account."


class Bucket(Protocol):
    """The key-value bucket this module needs (`libs.chassis.buckets.Bucket`)."""

    async def get(self, key: str) -> Entry | None: ...  # noqa: D102
    async def create(self, key: str, value: bytes) -> int: ...  # noqa: D102
    async def update(self, key: str, value: bytes, revision: int) -> int: ...  # noqa: D102
    async def put(self, key: str, value: bytes) -> int: ...  # noqa: D102
    async def delete(self, key: str) -> None: ...  # noqa: D102
    async def keys(self) -> list[str]: ...  # noqa: D102


class AccountExists(Exception):
    """There is an account with this address already."""


class AccountUnknown(Exception):
    """There is no account with this address."""


class BadAccount(ValueError):
    """The address or the name cannot be used."""


class Account(BaseModel):
    """An attorney who may log in.

    Attributes:
        id: Never changes; this is what events name.
        email: As it was given.
        name: What others see in the history.
        password_hash: argon2id; empty until an invitation is accepted.
        active: Whether logging in is allowed.
        created_at: When the account was made (UTC).
        epoch: Sessions of an earlier epoch are over; a new password raises it.
        role: What the account is there for. Records from before there were roles read as
            admin, since each account could do everything then.
        assigned_only: Whether only leads assigned to the account exist for it.
        places: Where it has logged in lately (`services.leads.auth.throttle.place_of`).
        identity: The one person at the firm's identity provider whose account it is, as
            `services.leads.auth.oidc.linking.link_of` names them; None while it is nobody's.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    email: str
    name: str
    password_hash: str
    active: bool = True
    created_at: datetime
    epoch: int = 1
    role: Role = Role.ADMIN
    assigned_only: bool = False
    places: tuple[str, ...] = ()
    identity: str | None = None

    @property
    def invited(self) -> bool:
        """Whether nobody has chosen a password yet."""
        return not self.password_hash

    def __repr__(self) -> str:
        """Show the id only: a traceback or a log must not show a person."""
        return f"Account(id={self.id!r})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as the bucket has it now; `revision` is for changing it."""

    key: str
    account: Account
    revision: int


def account_key(email: str) -> str:
    """Return the bucket key of the account with this address."""
    return _PREFIX + hashlib.sha256(email_key(email).encode()).hexdigest()


async def create_account(
    bucket: Bucket,
    email: str,
    name: str,
    password: str | None = None,
    *,
    role: Role = Role.ATTORNEY,
    hasher: Passwords | None = None,
) -> tuple[Account, str | None]:
    """Make an account; returns it and the password, if one had to be made up.

    Raises:
        BadAccount: The address or name cannot be used.
        WeakPassword: The password does not meet the rules.
        AccountExists: There is one with this address.
        StoreUnavailable: The bucket does not answer.
    """
    address, name = _address(email), clean_name(name)
    generated = passwords.generate() if password is None else None
    chosen = password or generated or ""
    check_password(chosen, (address, name))
    if await bucket.get(account_key(address)) is not None:
        raise AccountExists("there is an account with this address already")
    password_hash = await (hasher or Passwords()).hash(chosen)
    account = _new(address, name, password_hash=password_hash, role=role)
    await add(bucket, account)
    return account, generated


async def plan_invited(
    bucket: Bucket, email: str, name: str, *, role: Role, assigned_only: bool
) -> Account:
    """Return an account without a password, which an invitation will give it; not kept yet.

    Raises:
        BadAccount: The address or name cannot be used.
        AccountExists: There is one with this address.
        StoreUnavailable: The bucket does not answer.
    """
    account = _new(_address(email), clean_name(name), role=role, assigned_only=assigned_only)
    if await bucket.get(account_key(account.email)) is not None:
        raise AccountExists("there is an account with this address already")
    return account


def _new(email: str, name: str, **more: Any) -> Account:
    made = {"id": str(new_id()), "password_hash": "", "created_at": datetime.now(UTC)}
    return Account.model_validate({**made, "email": email, "name": name, **more})


async def add(bucket: Bucket, account: Account) -> StoredAccount:
    """Keep a new account.

    Raises:
        AccountExists: There is one with this address.
        StoreUnavailable: The bucket does not answer.
    """
    key = account_key(account.email)
    # The id first: one without an account does no harm, an account without its id would.
    await bucket.create(f"id.{account.id}", key.encode())
    try:
        revision = await bucket.create(key, account.model_dump_json().encode())
    except KeyExists:
        await bucket.delete(f"id.{account.id}")
        raise AccountExists("there is an account with this address already") from None
    return StoredAccount(key, account, revision)


async def set_password(
    bucket: Bucket, email: str, password: str | None = None, *, hasher: Passwords | None = None
) -> str | None:
    """Give an account a new password and end its sessions; returns it if it was made up.

    Raises:
        AccountUnknown: There is none with this address.
        WeakPassword: The password does not meet the rules.
        StoreUnavailable: The bucket does not answer.
    """
    generated = passwords.generate() if password is None else None
    chosen = password or generated or ""
    stored = await find(bucket, account_key(email))
    if stored is None:
        raise AccountUnknown("there is no account with this address")
    check_password(chosen, (stored.account.email, stored.account.name))
    password_hash = await (hasher or Passwords()).hash(chosen)
    await change(bucket, stored.key, lambda account: with_new_password(account, password_hash))
    return generated


async def deactivate(bucket: Bucket, email: str) -> Account:
    """Refuse this account from now on; its sessions end within seconds.

    Raises:
        AccountUnknown: There is none with this address.
        StoreUnavailable: The bucket does not answer.
    """
    return await change(
        bucket,
        account_key(email),
        lambda account: account.model_copy(update={"active": False, "epoch": account.epoch + 1}),
    )


async def activate(bucket: Bucket, email: str) -> Account:
    """Let a deactivated account in again.

    Raises:
        AccountUnknown: There is none with this address.
        StoreUnavailable: The bucket does not answer.
    """
    return await change(
        bucket, account_key(email), lambda account: account.model_copy(update={"active": True})
    )


async def set_role(
    bucket: Bucket, email: str, role: Role, *, assigned_only: bool | None = None
) -> Account:
    """Change what an account may do; None leaves `assigned_only` as it is.

    Raises:
        AccountUnknown: There is none with this address.
        StoreUnavailable: The bucket does not answer.
    """
    update = {"role": role} | ({} if assigned_only is None else {"assigned_only": assigned_only})
    return await change(
        bucket, account_key(email), lambda account: account.model_copy(update=update)
    )


async def list_accounts(bucket: Bucket) -> list[Account]:
    """Return every account, oldest first."""
    keys = [key for key in await bucket.keys() if key.startswith(_PREFIX)]
    found = [await find(bucket, key) for key in keys]
    accounts = [stored.account for stored in found if stored is not None]
    return sorted(accounts, key=lambda account: account.created_at)


async def find(bucket: Bucket, key: str) -> StoredAccount | None:
    """Return the account under a bucket key, or None."""
    entry = await bucket.get(key)
    if entry is None:
        return None
    return StoredAccount(key, Account.model_validate_json(entry.value), entry.revision)


async def find_by_id(bucket: Bucket, account_id: str) -> StoredAccount | None:
    """Return the account with this id, or None."""
    pointer = await bucket.get(f"id.{account_id}")
    return await find(bucket, pointer.value.decode()) if pointer else None


async def change(bucket: Bucket, key: str, edit: Callable[[Account], Account]) -> Account:
    """Change an account, again from its newest state if somebody else was faster.

    Raises:
        AccountUnknown: There is none under this key.
        StoreUnavailable: The bucket does not answer, or others are faster time and again.
    """
    tries = Tries()
    while True:
        stored = await find(bucket, key)
        if stored is None:
            raise AccountUnknown("there is no account with this address")
        changed = edit(stored.account)
        try:
            await bucket.update(key, changed.model_dump_json().encode(), stored.revision)
        except WrongRevision:
            await tries.again()
            continue
        return changed


def with_new_password(account: Account, password_hash: str) -> Account:
    """Return the account with another password; every session so far is over."""
    return account.model_copy(update={"password_hash": password_hash, "epoch": account.epoch + 1})


def _address(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:  # its words repeat parts of what was typed
        raise BadAccount("not an email address; one looks like name@example.com") from None


def clean_name(name: str) -> str:
    """Return the name as it is kept.

    Raises:
        BadAccount: It cannot be used.
    """
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > MAX_NAME or not cleaned.isprintable():
        raise BadAccount(f"a name is printable text of 1 to {MAX_NAME} characters")
    return cleaned
