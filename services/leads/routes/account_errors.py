"""What is wrong with an account, a link or a password, as the client is told."""

from typing import Final

from libs.chassis.errors import FieldError
from libs.chassis.problems import ErrorTable, Problem, refused
from services.leads.auth.accounts import AccountExists, AccountUnknown, BadAccount
from services.leads.auth.administration import ChangedMeanwhile, LastAdmin
from services.leads.auth.joining import NotInvited
from services.leads.auth.links import LinkOver
from services.leads.auth.password_rules import WeakPassword


def _bad_account(error: Exception) -> Problem:
    field = "name" if "name is" in str(error) else "email"
    return refused([FieldError(field, f"It cannot be used: {error}")])


ACCOUNT_ERRORS: Final[ErrorTable] = {
    AccountUnknown: lambda _: Problem(
        "account-unknown", "There is no such account", 404, "Check the account's id."
    ),
    AccountExists: lambda _: Problem(
        "account-exists",
        "There is an account with this address already",
        409,
        "Look for it in the list; it can be invited again, activated or changed.",
    ),
    BadAccount: _bad_account,
    LastAdmin: lambda _: Problem(
        "last-admin",
        "This is the last active administrator",
        409,
        "Make somebody else an administrator first. If you just did, try again in a minute.",
    ),
    ChangedMeanwhile: lambda _: Problem(
        "account-changed",
        "Somebody else changed the account at this moment",
        409,
        "Look at it, and send your change again if it is still needed.",
    ),
    NotInvited: lambda _: Problem(
        "not-invited",
        "There is no invitation to repeat",
        409,
        "The account has a password already, or was deactivated.",
    ),
    LinkOver: lambda _: Problem(
        "link-over",
        "The link does not work any more",
        410,
        "It was used, or is too old. Ask for a new one.",
    ),
    WeakPassword: lambda error: refused([FieldError("password", f"Refused: {error}")]),
}
