"""Who must have a second factor, and what a login without one may do (pure, and its store)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from services.leads.auth.accounts import Bucket
from services.leads.auth.mfa.credentials import Credentials
from services.leads.auth.permissions import Permission, Role

POLICY_KEY: Final = "auth.policy"
MFA: Final = "mfa"
"""RFC 8176: more than one factor was used; a passkey with user verification is two at once."""
FRESH: Final = timedelta(minutes=10)
_KEPT_SECONDS: Final = 3.0
_SELF_ONLY: Final = frozenset({Permission.SELF})
_log = structlog.get_logger(__name__)


class AuthPolicy(BaseModel):
    """What the firm asks of its accounts.

    Attributes:
        mfa_required_for: The roles that must use a second factor.
    """

    # What a newer version has added must not keep this one from reading it.
    model_config = ConfigDict(frozen=True, extra="ignore")

    mfa_required_for: frozenset[Role] = Field(
        frozenset(), description="The roles that must use a second factor."
    )

    @field_serializer("mfa_required_for")
    def _in_order(self, roles: frozenset[Role]) -> list[Role]:
        return sorted(roles)


class _Stored(AuthPolicy):
    """What a record says; one that names no roles is none."""

    mfa_required_for: frozenset[Role]


def policy_of(record: bytes | None) -> AuthPolicy:
    """Return what a record of the bucket says; a damaged one asks everybody for a second factor.

    Whoever could damage it must not thereby switch the rule off.
    """
    if record is None:
        return AuthPolicy()
    try:
        stored = _Stored.model_validate_json(record)
    except ValidationError:
        _log.error("the sign-in policy cannot be read; everybody needs a second factor")
        return AuthPolicy(mfa_required_for=frozenset(Role))
    return AuthPolicy(mfa_required_for=stored.mfa_required_for)


class LastFactor(Exception):
    """It is the account's only factor, and the policy asks for one."""


class StepUpNeeded(Exception):
    """The login is too old, or not strong enough, to change what logs one in."""


def allowed(
    permissions: frozenset[Permission], role: Role, methods: frozenset[str], policy: AuthPolicy
) -> frozenset[Permission]:
    """Return what a login may do: only set up a factor while it lacks one that is required.

    Args:
        permissions: What the role gives.
        role: The account's.
        methods: How the login was proved (RFC 8176).
        policy: What the firm asks.
    """
    if role in policy.mfa_required_for and MFA not in methods:
        return permissions & _SELF_ONLY
    return permissions


def check_removal(after: Credentials, role: Role, policy: AuthPolicy) -> None:
    """Let a factor go only if that leaves the account what its role must have.

    Raises:
        LastFactor: It does not.
    """
    if role in policy.mfa_required_for and not after.has_factor:
        raise LastFactor


def check_fresh(
    authenticated_at: datetime, methods: frozenset[str], now: datetime, *, has_factor: bool
) -> None:
    """Let only somebody who proved themselves just now change what logs them in.

    Who has a factor must have used one; else a password alone could take it away.

    Args:
        authenticated_at: When the login's owner last proved themselves (UTC).
        methods: With what, since the login began (RFC 8176).
        now: UTC.
        has_factor: Whether the account has a second factor now.

    Raises:
        StepUpNeeded: They have to prove themselves again.
    """
    if now - authenticated_at > FRESH or (has_factor and MFA not in methods):
        raise StepUpNeeded


class Policies:
    """The policy in the bucket SETTINGS, read again every few seconds.

    Args:
        bucket: SETTINGS.
        clock: Seconds that only go forward.
    """

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = monotonic) -> None:
        self._bucket = bucket
        self._clock = clock
        self._known = AuthPolicy()
        self._ask_again_at = float("-inf")

    async def current(self) -> AuthPolicy:
        """Return the policy of the last seconds.

        Raises:
            StoreUnavailable: The bucket does not answer.
        """
        if self._ask_again_at <= self._clock():
            entry = await self._bucket.get(POLICY_KEY)
            self._remember(policy_of(entry.value if entry else None))
        return self._known

    async def change(self, policy: AuthPolicy) -> None:
        """Set the policy; other replicas follow within seconds.

        Raises:
            StoreUnavailable: The bucket does not answer.
        """
        await self._bucket.put(POLICY_KEY, policy.model_dump_json().encode())
        self._remember(policy)

    def _remember(self, policy: AuthPolicy) -> None:
        self._known, self._ask_again_at = policy, self._clock() + _KEPT_SECONDS
