"""The two ways to get tokens, and what a new password means: no HTTP here."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.leads.auth import accounts, password_rules, throttle
from services.leads.auth.accounts import Account, StoredAccount, account_key
from services.leads.auth.mfa import second_step
from services.leads.auth.parts import Auth
from services.leads.auth.passwords import TooBusy
from services.leads.auth.principal import Principal
from services.leads.auth.sessions import ClientInfo, SessionOver, TokenReused
from services.leads.auth.tokens import Identity


class Refused(Exception):
    """The credentials do not fit; it is not said which part."""


class Reused(Refused):
    """The refresh token was used before; its session has ended now.

    Attributes:
        session_id: The session.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__()
        self.session_id = session_id


class SlowDown(Exception):
    """Too many failures for this account: wait.

    Attributes:
        seconds: How long.
        account_id: The account, if there is one.
    """

    def __init__(self, seconds: int, account_id: str | None = None) -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.account_id = account_id


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets; neither token shows in a `repr`."""

    access: str
    refresh: str
    account_id: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "Tokens()"


async def log_in(
    auth: Auth, email: str, password: str, now: datetime, client: ClientInfo
) -> Tokens:
    """Trade an address and a password for tokens.

    Raises:
        Refused: They do not fit, or the account is not active.
        SecondStepNeeded: They do; the account has a second factor.
        SlowDown: There were too many failures.
        StoreUnavailable: A bucket does not answer.
        TooBusy: Too many log in at once.
    """
    stored = await check_password(auth, email, password, client)
    methods = frozenset({"pwd"})
    await second_step.demand(auth.mfa, stored.account, methods, now)
    return await start_session(auth, stored, methods=methods, now=now, client=client)


async def strengthen(auth: Auth, session_id: str, methods: frozenset[str], now: datetime) -> None:
    """Note that a session's owner has proved who they are again.

    Args:
        auth: The parts of authentication.
        session_id: The session.
        methods: With what (RFC 8176).
        now: UTC.

    Raises:
        StoreUnavailable: A bucket does not answer.
    """
    await auth.sessions.strengthen(session_id, methods, now)
    auth.live.forget(session_id)


async def check_password(
    auth: Auth, email: str, password: str, client: ClientInfo
) -> StoredAccount:
    """Return the active account that these credentials belong to.

    Raises:
        Refused, SlowDown, StoreUnavailable, TooBusy: As for `log_in`.
    """
    stored = await authenticate(auth, account_key(email), password, client.address)
    if not stored.account.active:
        raise Refused
    account = await _with_fresh_hash(auth, stored, password)
    return replace(stored, account=account)


async def start_session(
    auth: Auth,
    stored: StoredAccount,
    *,
    methods: frozenset[str],
    now: datetime,
    client: ClientInfo,
    proved_at: datetime | None = None,
) -> Tokens:
    """Open a session: what every way to sign in ends with.

    Args:
        auth: The parts of authentication.
        stored: Whose session it is.
        methods: How they proved who they are (RFC 8176).
        now: UTC.
        client: Where the login comes from.
        proved_at: When they proved it; None: now (UTC).

    Raises:
        StoreUnavailable: A bucket does not answer.
    """
    account = stored.account
    await remember_place(auth, stored, client.address)
    session_id, refresh = await auth.sessions.open(
        stored.key, account, now, methods=methods, client=client, proved_at=proved_at
    )
    access = await auth.tokens.issue(Identity(account.id, session_id), now)
    return Tokens(access, refresh, account.id)


async def authenticate(auth: Auth, key: str, password: str, address: str) -> StoredAccount:
    """Return the account if the password fits.

    Args:
        auth: The parts of authentication.
        key: The bucket key of the account, whether or not there is one.
        password: As it was typed.
        address: Where it was typed.

    Raises:
        Refused, SlowDown, StoreUnavailable, TooBusy: As for `log_in`.
    """
    stored = await accounts.find(auth.accounts, key)
    places, account_id = (stored.account.places, stored.account.id) if stored else ((), "")
    lanes = throttle.lanes(key, places, account_id, address)
    pause = auth.throttle.pause_left(*lanes)
    if pause:
        raise SlowDown(pause, account_id or None)
    # Counted before anything is waited for, so that many guesses at once do not slip through.
    auth.throttle.failed(*lanes)
    known = stored.account.password_hash or None if stored else None
    try:
        fits = await auth.passwords.verify(known, password)
    except TooBusy:
        auth.throttle.spare(*lanes)
        raise
    if stored is None or not fits:
        raise Refused
    auth.throttle.succeeded(*lanes)
    return stored


async def remember_place(auth: Auth, stored: StoredAccount, address: str) -> None:
    """Note that the account's owner was here, so that guesses from elsewhere cost them nothing.

    Raises:
        StoreUnavailable: A bucket does not answer.
    """
    place = throttle.place_of(stored.account.id, address)
    if throttle.with_place(stored.account.places, place) != stored.account.places:
        await accounts.change(
            auth.accounts,
            stored.key,
            lambda account: account.model_copy(
                update={"places": throttle.with_place(account.places, place)}
            ),
        )


async def renew(auth: Auth, refresh_token: str, now: datetime) -> Tokens:
    """Trade a refresh token for new tokens; it can be used once.

    Raises:
        Refused: The session or the account is over.
        Reused: It is not the session's newest token.
        StoreUnavailable: A bucket does not answer.
    """
    try:
        found = await auth.sessions.check(refresh_token, now)
        stored = await accounts.find(auth.accounts, found.session.account_key)
        if stored is None or not _goes_on(stored.account, found.session.account_epoch):
            await auth.sessions.end(found.id)
            raise Refused
        # Before the old token is used up: what can fail comes first.
        access = await auth.tokens.issue(Identity(stored.account.id, found.id), now)
        return Tokens(access, await auth.sessions.rotate(found, now), stored.account.id)
    except TokenReused as reused:
        raise Reused(reused.session_id) from None
    except SessionOver:
        raise Refused from None


async def change_password(
    auth: Auth, who: Principal, current: str, new: str, address: str
) -> Account:
    """Give oneself a new password; every other session ends.

    Raises:
        Refused: The current password is another one, or the account is gone.
        SlowDown, StoreUnavailable, TooBusy: As for `log_in`.
        WeakPassword: The new password does not meet the rules.
    """
    found = await accounts.find_by_id(auth.accounts, who.account_id)
    if found is None:
        raise Refused
    stored = await authenticate(auth, found.key, current, address)
    password_rules.check_password(new, (stored.account.email, stored.account.name))
    password_hash = await auth.passwords.hash(new)
    changed = await accounts.change(
        auth.accounts,
        stored.key,
        lambda account: accounts.with_new_password(account, password_hash),
    )
    if who.session_id is not None:
        await auth.sessions.keep(who.session_id, changed.epoch)
        auth.live.forget(who.session_id)
    return changed


def _goes_on(account: Account, epoch: int) -> bool:
    return account.active and account.epoch == epoch


async def _with_fresh_hash(auth: Auth, stored: StoredAccount, password: str) -> Account:
    """Hash again when the cost has been raised since; the password is at hand only now."""
    old = stored.account.password_hash
    if not auth.passwords.is_outdated(old):
        return stored.account
    fresh = await auth.passwords.hash(password)
    return await accounts.change(
        auth.accounts,
        stored.key,
        lambda account: (
            account.model_copy(update={"password_hash": fresh})
            if account.password_hash == old
            else account
        ),
    )
