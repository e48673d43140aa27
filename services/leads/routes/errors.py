"""Every error of this service, and what the client is told."""

from collections.abc import Callable
from typing import Final

from libs.chassis.errors import FieldError
from libs.chassis.problems import ErrorTable, Problem, refused
from services.leads.auth.passwords import TooBusy
from services.leads.commands import KeyReused, TooContended
from services.leads.cursors import BadCursor
from services.leads.lead import AssignedOtherwise, LeadIsErased, LeadUnknown
from services.leads.projection.gate import NotThereYet
from services.leads.routes.account_errors import ACCOUNT_ERRORS
from services.leads.routes.mfa_errors import MFA_ERRORS


def _fixed(problem: Callable[[], Problem]) -> Callable[[Exception], Problem]:
    return lambda _error: problem()


ERRORS: Final[ErrorTable] = {
    LeadUnknown: _fixed(
        lambda: Problem("lead-unknown", "There is no such lead", 404, "Check the lead's id.")
    ),
    LeadIsErased: _fixed(
        lambda: Problem(
            "lead-erased",
            "The lead is erased",
            410,
            "Everything about this person was erased, and cannot be brought back.",
        )
    ),
    KeyReused: _fixed(
        lambda: Problem(
            "idempotency-key-reused",
            "The idempotency key was used before",
            422,
            "It came with another request for this lead. Use a new key for a new request.",
        )
    ),
    AssignedOtherwise: _fixed(
        lambda: Problem(
            "assigned-otherwise",
            "The lead is somebody else's now",
            409,
            "Nothing was written. Look at the lead again, and then decide.",
        )
    ),
    TooContended: _fixed(
        lambda: Problem(
            "conflict",
            "Others are changing this lead right now",
            409,
            "Nothing was written. Send the request again.",
        )
    ),
    NotThereYet: _fixed(
        lambda: Problem(
            "position-not-reached",
            "This replica is still reading the log",
            503,
            "It has not reached the position that is asked for. Try again in a moment.",
            headers={"Retry-After": "1"},
        )
    ),
    TooBusy: _fixed(
        lambda: Problem(
            "too-busy",
            "Too many logins at once",
            503,
            "Try again in a moment.",
            headers={"Retry-After": "2"},
        )
    ),
    BadCursor: lambda error: refused([FieldError("cursor", f"It {error}")]),
    **MFA_ERRORS,
    **ACCOUNT_ERRORS,
}
