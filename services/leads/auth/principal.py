"""Who is asking, and what that somebody may do (pure)."""

from dataclasses import dataclass

from services.leads.auth.accounts import Account
from services.leads.auth.permissions import ROLE_PERMISSIONS, Permission, Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose credentials were checked.

    Attributes:
        account_id: The account; of an API key, the account that made it.
        role: The account's role now.
        permissions: What may be done: the role's, or an API key's scopes.
        assigned_only: Whether only leads that are assigned to the account exist for them.
        session_id: The login; None for an API key.
        key_id: The API key; None for a login.
        authenticated_with: Authentication methods (RFC 8176): "pwd", "otp", "hwk", ...
    """

    account_id: str
    role: Role
    permissions: frozenset[Permission]
    assigned_only: bool
    session_id: str | None
    key_id: str | None
    authenticated_with: frozenset[str]

    @property
    def actor(self) -> str:
        """How events and the audit log name this principal."""
        return f"account:{self.account_id}" if self.key_id is None else f"api-key:{self.key_id}"

    def may(self, permission: Permission) -> bool:
        """Tell whether it is allowed."""
        return permission in self.permissions


def of_session(account: Account, session_id: str, methods: frozenset[str]) -> Principal:
    """Return the principal of a login."""
    return Principal(
        account_id=account.id,
        role=account.role,
        permissions=ROLE_PERMISSIONS[account.role],
        assigned_only=account.assigned_only,
        session_id=session_id,
        key_id=None,
        authenticated_with=methods,
    )
