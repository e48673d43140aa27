"""Who is asking, with what proves them; and whether they proved it just now."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from libs.chassis.problems import Problem
from services.leads.auth.accounts import StoredAccount, find_by_id
from services.leads.auth.mfa import policy
from services.leads.auth.mfa.credentials import Credentials
from services.leads.auth.sessions import Session
from services.leads.keys import AUTH, PRINCIPAL, now

RECENT: Final = "Needs a proof of the last ten minutes (`/auth/step-up`)."


@dataclass(frozen=True, slots=True)
class Me:
    """An account's owner, signed in.

    Attributes:
        session_id: The login.
        session: As it is kept.
        stored: The account.
        credentials: What it has besides its password.
    """

    session_id: str
    session: Session
    stored: StoredAccount
    credentials: Credentials

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.stored.account.id


async def me(request: web.Request) -> Me:
    """Return who is asking.

    Raises:
        Problem: 403 for an API key, 401 when the login has ended at this moment.
        StoreUnavailable: A bucket does not answer.
    """
    principal, auth = request[PRINCIPAL], request.app[AUTH]
    if principal.session_id is None:
        raise Problem("forbidden", "This is for people", 403, "Sign in; an API key cannot do it.")
    found = await auth.sessions.find(principal.session_id)
    stored = await find_by_id(auth.accounts, principal.account_id)
    if found is None or stored is None:
        raise Problem(
            "unauthorized",
            "A valid access token is needed",
            401,
            "This login has ended. Sign in again.",
            headers={"WWW-Authenticate": 'Bearer realm="leadlog", error="invalid_token"'},
        )
    credentials = await auth.mfa.credentials.read(principal.account_id)
    return Me(principal.session_id, found.session, stored, credentials)


async def me_just_proved(request: web.Request) -> Me:
    """Return who is asking, if they proved themselves within the last minutes.

    Raises:
        StepUpNeeded: They did not, or not with the second factor that they have.
        Problem, StoreUnavailable: As for `me`.
    """
    asking = await me(request)
    policy.check_fresh(
        asking.session.proved_at,
        frozenset(asking.session.methods),
        now(),
        has_factor=asking.credentials.has_factor,
    )
    return asking


async def person_just_proved(request: web.Request) -> None:
    """Let a person go on only with a fresh proof; an API key goes by its scopes alone.

    Raises:
        StepUpNeeded, Problem, StoreUnavailable: As for `me_just_proved`.
    """
    if request[PRINCIPAL].key_id is None:
        await me_just_proved(request)
