"""Who may do what (pure): the roles, and for each operation the one permission it needs.

Role-based access control with deny by default (OWASP ASVS 5.0, 8.2.1 and 8.3.1): the table is
read in one place, `services/leads/routes/bearer.py`, and an operation that it does not know
keeps the service from starting.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from libs.chassis.operations import Operation


class Role(StrEnum):
    """What an account is there for."""

    VIEWER = "viewer"
    ATTORNEY = "attorney"
    ADMIN = "admin"


class Permission(StrEnum):
    """One thing that somebody may do; API keys name them as scopes."""

    LEADS_READ = "leads:read"
    RESUMES_READ = "resumes:read"
    RESUMES_RELEASE = "resumes:release"
    LEADS_REACH_OUT = "leads:reach-out"
    LEADS_ASSIGN = "leads:assign"
    ACCOUNTS_MANAGE = "accounts:manage"
    KEYS_MANAGE = "api-keys:manage"
    AUDIT_READ = "audit:read"
    PEOPLE_EXPORT = "people:export"
    PEOPLE_ERASE = "people:erase"
    SETTINGS_MANAGE = "settings:manage"
    SELF = "self"
    """One's own session, password and second factor."""


_VIEWER: Final = frozenset({Permission.LEADS_READ, Permission.RESUMES_READ, Permission.SELF})

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEWER,
    Role.ATTORNEY: _VIEWER | {Permission.LEADS_REACH_OUT},
    Role.ADMIN: frozenset(Permission),
}

OPERATION_PERMISSIONS: Final[dict[str, Permission]] = {
    "list_leads": Permission.LEADS_READ,
    "show_lead": Permission.LEADS_READ,
    "show_history": Permission.LEADS_READ,
    "download_resume": Permission.RESUMES_READ,
    "release_resume": Permission.RESUMES_RELEASE,
    "reach_out": Permission.LEADS_REACH_OUT,
    "assign_lead": Permission.LEADS_ASSIGN,
    "take_lead": Permission.LEADS_REACH_OUT,
    "export_person": Permission.PEOPLE_EXPORT,
    "erase_person": Permission.PEOPLE_ERASE,
    "list_audit": Permission.AUDIT_READ,
    "export_audit": Permission.AUDIT_READ,
    "create_api_key": Permission.KEYS_MANAGE,
    "list_api_keys": Permission.KEYS_MANAGE,
    "revoke_api_key": Permission.KEYS_MANAGE,
    "list_sessions": Permission.SELF,
    "end_session": Permission.SELF,
    "end_other_sessions": Permission.SELF,
    "list_all_accounts": Permission.ACCOUNTS_MANAGE,
    "show_account": Permission.ACCOUNTS_MANAGE,
    "invite_account": Permission.ACCOUNTS_MANAGE,
    "invite_account_again": Permission.ACCOUNTS_MANAGE,
    "change_account": Permission.ACCOUNTS_MANAGE,
    "deactivate_account": Permission.ACCOUNTS_MANAGE,
    "activate_account": Permission.ACCOUNTS_MANAGE,
    "end_account_sessions": Permission.ACCOUNTS_MANAGE,
    "log_out": Permission.SELF,
    "set_own_password": Permission.SELF,
    "show_mfa": Permission.SELF,
    "begin_totp": Permission.SELF,
    "confirm_totp": Permission.SELF,
    "remove_totp": Permission.SELF,
    "renew_recovery_codes": Permission.SELF,
    "step_up": Permission.SELF,
    "list_passkeys": Permission.SELF,
    "begin_passkey": Permission.SELF,
    "add_passkey": Permission.SELF,
    "rename_passkey": Permission.SELF,
    "remove_passkey": Permission.SELF,
    "begin_passkey_step_up": Permission.SELF,
    "step_up_with_passkey": Permission.SELF,
    "show_auth_policy": Permission.SETTINGS_MANAGE,
    "set_auth_policy": Permission.SETTINGS_MANAGE,
    "reset_mfa": Permission.ACCOUNTS_MANAGE,
    "unlink_identity": Permission.ACCOUNTS_MANAGE,
}
"""Operation id (the handler's name) to what it needs."""


class TableIncomplete(Exception):
    """The table and the API's operations do not fit together; the service must not start."""


def permissions_by_route(operations: Iterable[Operation]) -> dict[tuple[str, str], Permission]:
    """Return what each closed route needs, by method and path.

    Raises:
        TableIncomplete: An operation is closed and has no line, or is open and has one.
    """
    routes: dict[tuple[str, str], Permission] = {}
    for operation in operations:
        needed = OPERATION_PERMISSIONS.get(operation.operation_id)
        if operation.security != (needed is not None):
            raise TableIncomplete(
                f"operation {operation.operation_id!r}: security={operation.security}, but"
                f" OPERATION_PERMISSIONS says {needed}; make the two say the same"
            )
        if needed is not None:
            routes[operation.method, operation.path] = needed
    return routes
