"""The API's registry, and what several of its operations share."""

from typing import Final

from libs import __version__
from libs.chassis.api import Api, Header, Parameter

POSITION: Final = "Leadlog-Position"

api = Api(
    "Leadlog: leads",
    __version__,
    "The attorneys' side: the list of leads, what happened to them, and what is done with them.",
    oauth2_token_url="/auth/token",  # noqa: S106 - an address
)

_DIGITS: Final = {"type": "string", "pattern": "^[0-9]{1,18}$"}
POSITION_PARAMETER: Final = Parameter(
    POSITION,
    "Answer only once everything up to this position of the log can be seen: send back what a"
    " command answered, to read your own writes from any replica.",
    _DIGITS,
)
POSITION_HEADER: Final = {
    POSITION: Header("The position of the log that this answer reflects.", _DIGITS)
}
