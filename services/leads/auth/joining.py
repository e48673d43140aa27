"""How somebody comes to have a password without having one: invited, or after losing it."""

from dataclasses import dataclass, field
from datetime import datetime

from libs.outbox import Outbox, OutboxMail
from services.leads.auth import accounts, links, password_rules
from services.leads.auth.accounts import Account, Bucket, StoredAccount
from services.leads.auth.links import Link, LinkOver, Purpose
from services.leads.auth.login import remember_place
from services.leads.auth.parts import Auth


class NotInvited(Exception):
    """The account has a password already, or is not active: there is nothing to invite to."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What one-time links need.

    Attributes:
        links: The bucket LINKS.
        outbox: Where mails to attorneys are left.
        public_url: Where browsers reach this service.
    """

    links: Bucket
    outbox: Outbox
    public_url: str


async def send_invitation(
    joining: Joining, stored: StoredAccount, invited_by: str, now: datetime
) -> None:
    """Mail a new link to an account's owner.

    Raises:
        StoreUnavailable: The bucket or the outbox does not answer.
    """
    details = {"invited_by": invited_by} if invited_by else {}
    await _mail(joining, Purpose.INVITATION, stored, now, details)


async def check_invited(bucket: Bucket, account_id: str) -> StoredAccount:
    """Return an account that can be invited again.

    Raises:
        AccountUnknown: There is none with this id.
        NotInvited: It has a password, or is not active.
        StoreUnavailable: The bucket does not answer.
    """
    found = await accounts.find_by_id(bucket, account_id)
    if found is None:
        raise accounts.AccountUnknown("there is no account with this id")
    _check_invited(found.account)
    return found


async def invite_again(bucket: Bucket, found: StoredAccount) -> StoredAccount:
    """End the links that an invited account has, so that a new one can be sent.

    Raises:
        NotInvited: It has a password by now, or is not active.
        StoreUnavailable: The bucket does not answer.
    """

    def next_epoch(account: Account) -> Account:
        _check_invited(account)
        return account.model_copy(update={"epoch": account.epoch + 1})

    await accounts.change(bucket, found.key, next_epoch)
    return await accounts.find(bucket, found.key) or found


def _check_invited(account: Account) -> None:
    if not account.invited or not account.active:
        raise NotInvited


async def send_reset(joining: Joining, stored: StoredAccount, now: datetime) -> None:
    """Mail a way back to an account's owner.

    Raises:
        StoreUnavailable: The bucket or the outbox does not answer.
    """
    await _mail(joining, Purpose.RESET, stored, now, {})


@dataclass(frozen=True, slots=True)
class Redemption:
    """A link and the password it is traded for, both good; neither shows in a `repr`.

    Attributes:
        stored: The account.
        link: What the token stands for.
        token: From the mail.
        password_hash: Of the new password.
    """

    stored: StoredAccount
    link: Link = field(repr=False)
    token: str = field(repr=False)
    password_hash: str = field(repr=False)


async def look_up(
    auth: Auth, joining: Joining, purpose: Purpose, token: str, password: str, now: datetime
) -> Redemption:
    """Return what a link and a password would do; nothing is changed.

    Args:
        auth: The parts of authentication.
        joining: What links need.
        purpose: What the link must be for.
        token: From the mail.
        password: The new one.
        now: UTC.

    Raises:
        LinkOver: The link cannot be used.
        WeakPassword: The password does not meet the rules; the link is still good.
        TooBusy: Too many passwords are being hashed; the link is still good.
        StoreUnavailable: A bucket does not answer.
    """
    link = await links.look_up(joining.links, token, purpose, now)
    stored = await accounts.find(auth.accounts, link.account_key)
    if stored is None:
        raise LinkOver
    _check(stored.account, link)
    password_rules.check_password(password, (stored.account.email, stored.account.name))
    return Redemption(stored, link, token, await auth.passwords.hash(password))


async def redeem(auth: Auth, wanted: Redemption) -> Account:
    """Give the account of a link its password; every session and every other link ends.

    Raises:
        LinkOver: Somebody used the link at this moment.
        StoreUnavailable: The bucket does not answer; the link may still be good.
    """

    def with_password(account: Account) -> Account:
        _check(account, wanted.link)  # again, on the state that is written: a link works once
        return accounts.with_new_password(account, wanted.password_hash)

    return await accounts.change(auth.accounts, wanted.stored.key, with_password)


async def tidy_up(auth: Auth, joining: Joining, wanted: Redemption, address: str) -> None:
    """Take the used link away; the account's owner is known at this address from now on.

    Raises:
        StoreUnavailable: A bucket does not answer.
    """
    await links.drop(joining.links, wanted.token)
    newest = await accounts.find(auth.accounts, wanted.stored.key)
    if newest is not None:
        await remember_place(auth, newest, address)


def _check(account: Account, link: Link) -> None:
    if not account.active or account.epoch != link.epoch:
        raise LinkOver


async def _mail(
    joining: Joining,
    purpose: Purpose,
    stored: StoredAccount,
    now: datetime,
    details: dict[str, str],
) -> None:
    made = await links.make(joining.links, purpose, stored, now)
    invitation = purpose is Purpose.INVITATION
    await joining.outbox.put(
        OutboxMail(
            template="account_invitation" if invitation else "password_reset",
            account_id=stored.account.id,
            recipient=stored.account.email,
            name=stored.account.name,
            link=made.url(joining.public_url),
            expires_at=made.link.expires_at,
            details=details,
        )
    )
