"""How somebody comes to have a password without having one: invited, or after losing it."""

from dataclasses import dataclass
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


async def invite_again(bucket: Bucket, account_id: str) -> StoredAccount:
    """End the links that an invited account has, so that a new one can be sent.

    Raises:
        AccountUnknown: There is none with this id.
        NotInvited: It has a password, or is not active.
        StoreUnavailable: The bucket does not answer.
    """

    def next_epoch(account: Account) -> Account:
        if not account.invited or not account.active:
            raise NotInvited
        return account.model_copy(update={"epoch": account.epoch + 1})

    found = await accounts.find_by_id(bucket, account_id)
    if found is None:
        raise accounts.AccountUnknown("there is no account with this id")
    await accounts.change(bucket, found.key, next_epoch)
    return await accounts.find(bucket, found.key) or found


async def send_reset(joining: Joining, stored: StoredAccount, now: datetime) -> None:
    """Mail a way back to an account's owner.

    Raises:
        StoreUnavailable: The bucket or the outbox does not answer.
    """
    await _mail(joining, Purpose.RESET, stored, now, {})


async def redeem(
    auth: Auth,
    joining: Joining,
    purpose: Purpose,
    token: str,
    password: str,
    *,
    address: str,
    now: datetime,
) -> Account:
    """Give the account of a link a password; every session and every other link ends.

    Args:
        auth: The parts of authentication.
        joining: What links need.
        purpose: What the link must be for.
        token: From the mail.
        password: The new one.
        address: Where this comes from; the account's owner is known there from now on.
        now: UTC.

    Raises:
        LinkOver: The link cannot be used, or somebody used it at this moment.
        WeakPassword: The password does not meet the rules; the link is still good.
        TooBusy: Too many passwords are being hashed; the link is still good.
        StoreUnavailable: A bucket does not answer; the link may still be good.
    """
    link = await links.look_up(joining.links, token, purpose, now)
    stored = await accounts.find(auth.accounts, link.account_key)
    if stored is None:
        raise LinkOver
    _check(stored.account, link)
    password_rules.check_password(password, (stored.account.email, stored.account.name))
    password_hash = await auth.passwords.hash(password)

    def with_password(account: Account) -> Account:
        _check(account, link)  # again, on the state that is written: so a link works once
        return accounts.with_new_password(account, password_hash)

    changed = await accounts.change(auth.accounts, stored.key, with_password)
    await links.drop(joining.links, token)
    newest = await accounts.find(auth.accounts, stored.key)
    if newest is not None:
        await remember_place(auth, newest, address)
    return changed


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
