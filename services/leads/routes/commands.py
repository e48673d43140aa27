"""What the routes of all commands about a lead share."""

import re
from typing import Final
from uuid import UUID

from aiohttp import web

from libs.chassis.api import Parameter
from libs.chassis.errors import FieldError
from libs.chassis.problems import refused
from libs.events import new_id
from services.leads.auth.principal import Principal
from services.leads.commands import Outcome, carry_out, command_id_of
from services.leads.keys import PRINCIPAL, STORE
from services.leads.lead import Command
from services.leads.visibility import may_see

_KEY: Final = "Idempotency-Key"
_KEY_PATTERN: Final = r"[\x21-\x7e]{1,255}"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

KEY_PARAMETER: Final = Parameter(
    _KEY,
    "The same key again gets the same answer, and nothing happens twice.",
    {"type": "string", "pattern": f"^{_KEY_PATTERN}$"},
)


def command_id(request: web.Request, lead_id: UUID) -> UUID:
    """Return what the request's idempotency key means, or a new id.

    Raises:
        Problem: 422, the key cannot be one.
    """
    key = request.headers.get(_KEY)
    if key is None:
        return new_id()
    if not re.fullmatch(_KEY_PATTERN, key):
        raise refused([FieldError(_KEY, "Must be 1 to 255 visible ASCII characters")])
    return command_id_of(_who(request[PRINCIPAL]), lead_id, key)


async def carried_out(request: web.Request, lead_id: UUID, command: Command) -> Outcome:
    """Carry the command out on a lead that exists for who asks; raises as `carry_out`."""
    principal = request[PRINCIPAL]
    given = request.headers.get("traceparent", "")
    return await carry_out(
        request.app[STORE],
        lead_id,
        command,
        may_see=lambda state: may_see(principal, state.assigned_to),
        traceparent=given if _TRACEPARENT.fullmatch(given) else None,
    )


def _who(principal: Principal) -> str:
    # Accounts by their bare id, as it was before there were API keys: old keys stay the same.
    return principal.account_id if principal.key_id is None else principal.actor
