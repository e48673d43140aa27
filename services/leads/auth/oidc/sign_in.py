"""Signing in by a provider, from the first redirect to tokens: no HTTP of our own here."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from libs.chassis.buckets import WrongRevision
from services.leads.auth import accounts, administration
from services.leads.auth.accounts import Account, Bucket, StoredAccount
from services.leads.auth.administration import Changed, LastAdmin
from services.leads.auth.oidc import flow
from services.leads.auth.oidc.flow import Pending, SignInRefused, Start
from services.leads.auth.oidc.linking import account_of
from services.leads.auth.oidc.provider import Client, Provider
from services.leads.auth.oidc.roles import role_of
from services.leads.auth.permissions import Role
from services.leads.auth.tries import Tries

log = structlog.get_logger(__name__)

CODE_SECONDS: Final = 60
_CODE_BYTES: Final = 32
_USED: Final = b"used"
_SESSION: Final = b"session "


class CodeReused(SignInRefused):
    """A one-time code came a second time, so somebody has a copy (RFC 6749, 4.1.2).

    Attributes:
        session_id: the login that its first use made, which must end; None: there is none.
    """

    def __init__(self, session_id: str | None) -> None:
        super().__init__("the code was used before; begin again")
        self.session_id = session_id


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has decided.

    Attributes:
        scopes: what the provider is asked for.
        groups_claim: where the person's groups are.
        roles: group to role; empty: a role is given here, not there.
        may_create: whether somebody without an account gets one.
        return_url: where the browser goes afterwards; None: the answer holds the tokens.
        max_age: how long ago a person may have proved who they are to the provider.
        prompt: what the provider has to ask in any case; None leaves it to the provider.
    """

    scopes: list[str]
    groups_claim: str
    roles: Mapping[str, Role]
    may_create: bool
    return_url: str | None
    max_age: timedelta
    prompt: str | None = None


class Ticket(BaseModel):
    """Somebody who has signed in and has no session yet; good for a minute, once.

    Attributes:
        account_key: the bucket key of the account.
        epoch: the account's at that moment; with a later one the ticket is void.
        methods: how the person proved who they are (RFC 8176).
        at: when the provider's answer came (UTC).
        proved_at: when the person proved it, by the provider's word; None: it has not said.
    """

    model_config = ConfigDict(frozen=True)

    account_key: str
    epoch: int
    methods: frozenset[str]
    at: datetime
    proved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A ticket whose code has been used now.

    Attributes:
        ticket: for a session.
        key: where the code's use is noted.
        revision: of that note.
    """

    ticket: Ticket
    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What an answer of the provider has come to.

    Attributes:
        ticket: for a session.
        account: whose.
        linked_now: whether the account became this person's just now.
        role_change: the account before and after, when its role is another now.
    """

    ticket: Ticket
    account: Account
    linked_now: bool
    role_change: Changed | None


@dataclass(frozen=True, slots=True)
class Oidc:
    """All that signing in by a provider needs.

    Attributes:
        pending: the bucket SIGN_INS.
        accounts: the bucket ACCOUNTS.
    """

    provider: Provider
    client: Client
    rules: Rules
    pending: Bucket
    accounts: Bucket

    async def begin(self, now: datetime, *, again: bool = False) -> tuple[str, Start]:
        """Return where to send the browser, and what it must bring back.

        Args:
            now: UTC.
            again: whether the provider must ask the person, though it knows them. Otherwise
                whoever it knows for less than a login may last comes back without a question.

        Raises:
            ProviderAway, StoreUnavailable: see there.
        """
        metadata = await self.provider.metadata()
        begun = flow.start(now)
        await self.pending.create(
            flow.pending_key(begun.state), begun.pending.model_dump_json().encode()
        )
        url = flow.authorization_url(
            metadata.authorization_endpoint,
            self.client.client_id,
            self.client.redirect_uri,
            self.rules.scopes,
            begun,
            max_age=0 if again else int(self.rules.max_age.total_seconds()),
            prompt=self.rules.prompt,
        )
        return url, begun

    async def finish(
        self, code: str, state: str, cookie: str, issuer: str | None, now: datetime
    ) -> SignedIn:
        """Return who has signed in; an answer of the provider counts once.

        Args:
            code: to be traded for claims.
            state: names the sign-in.
            cookie: of the browser.
            issuer: who says that it answers (RFC 9207); None when it does not say.
            now: UTC.

        Raises:
            SignInRefused, ProviderAway, StoreUnavailable: see there.
        """
        if issuer is not None and issuer != self.client.issuer:
            raise SignInRefused("another provider answered")
        taken = await _take(self.pending, flow.pending_key(state))
        if taken is None:
            raise SignInRefused("it is over already, or was never begun; begin again")
        pending = Pending.model_validate_json(taken)
        flow.check_browser(pending, cookie, now)
        claims = await self.provider.claims(code, pending)
        person = flow.person(claims, self.rules.groups_claim)
        role = role_of(person.groups, self.rules.roles)
        if self.rules.roles and role is None:
            raise SignInRefused("none of your groups may use Leadlog; ask an administrator")
        proved_at = flow.authenticated_at(claims, now)
        found = await account_of(
            self.accounts, self.client.issuer, person, role, may_create=self.rules.may_create
        )
        changed = await take_role(self.accounts, found.stored.account, role, now)
        account = changed.after if changed else found.stored.account
        ticket = Ticket(
            account_key=found.stored.key,
            epoch=account.epoch,
            methods=person.methods,
            at=now,
            proved_at=proved_at,
        )
        return SignedIn(ticket, account, found.linked_now, changed)

    async def hand_out(self, ticket: Ticket) -> str:
        """Return a code that is good for the ticket, once."""
        code = secrets.token_urlsafe(_CODE_BYTES)
        await self.pending.create(_code_key(code), ticket.model_dump_json().encode())
        return code

    async def take_back(self, code: str, now: datetime) -> Taken:
        """Return the ticket of a code.

        Raises:
            CodeReused: it was used before.
            SignInRefused: it is too old or was never handed out.
            StoreUnavailable: the bucket does not answer.
        """
        key, tries = _code_key(code), Tries()
        while (entry := await self.pending.get(key)) is not None:
            try:
                # A second use leaves its mark as well, for the first one to see.
                revision = await self.pending.update(key, _USED, entry.revision)
            except WrongRevision:
                await tries.again()
                continue
            if entry.value == _USED:
                raise CodeReused(None)
            if entry.value.startswith(_SESSION):
                raise CodeReused(entry.value.removeprefix(_SESSION).decode())
            return Taken(_fresh(entry.value, now), key, revision)
        raise SignInRefused("the code is not valid; begin again")

    async def used_for(self, taken: Taken, session_id: str) -> None:
        """Note which login a code was used for, so that a second use ends it.

        Raises:
            CodeReused: there was one meanwhile.
        """
        try:
            await self.pending.update(taken.key, _SESSION + session_id.encode(), taken.revision)
        except WrongRevision:
            raise CodeReused(session_id) from None

    async def account(self, ticket: Ticket) -> StoredAccount:
        """Return the account of a ticket.

        Raises:
            SignInRefused: it is not active any more, or all its sign-ins have been ended since.
        """
        stored = await accounts.find(self.accounts, ticket.account_key)
        if stored is None or not stored.account.active:
            raise SignInRefused("there is no active account for you here; ask an administrator")
        if stored.account.epoch != ticket.epoch:
            raise SignInRefused("your account was changed meanwhile; begin again")
        return stored


async def take_role(
    bucket: Bucket, account: Account, role: Role | None, now: datetime
) -> Changed | None:
    """Give an account the role that its person has at the provider; None: nothing changed.

    The last administrator stays one: nobody could undo it.

    Args:
        bucket: ACCOUNTS.
        account: whose.
        role: what their groups give; None leaves the account's role alone.
        now: UTC.

    Raises:
        StoreUnavailable: the bucket does not answer.
    """
    if role is None or account.role is role:
        return None
    try:
        changed = await administration.change_account(
            bucket, account.id, lambda one: one.model_copy(update={"role": role}), now
        )
    except LastAdmin:
        log.warning(
            "the provider's role is not taken over: it is the last administrator",
            account_id=account.id,
        )
        return None
    return None if changed.before == changed.after else changed


def _fresh(value: bytes, now: datetime) -> Ticket:
    try:
        ticket = Ticket.model_validate_json(value)
    except ValidationError:  # an earlier version's
        raise SignInRefused("the code is not valid; begin again") from None
    if (now - ticket.at).total_seconds() > CODE_SECONDS:
        raise SignInRefused("the code is too old; begin again")
    return ticket


async def _take(bucket: Bucket, key: str) -> bytes | None:
    """Take an entry out; of several who try, one gets it."""
    entry = await bucket.get(key)
    if entry is None or entry.value == _USED:
        return None
    try:
        await bucket.update(key, _USED, entry.revision)
    except WrongRevision:
        return None
    await bucket.delete(key)
    return entry.value


def _code_key(code: str) -> str:
    return f"code.{hashlib.sha256(code.encode()).hexdigest()}"
