"""Reading your own writes: wait until the projection holds what the client has seen."""

import re
from typing import Final

from aiohttp import web

from libs.chassis.errors import FieldError
from libs.chassis.problems import refused
from services.leads.keys import GATE, SETTINGS
from services.leads.routes.api import POSITION

_POSITION: Final = re.compile(r"[0-9]{1,18}")


def wanted_position(text: str | None) -> int:
    """Return the position a query asks for; 0 if it asks for none.

    Raises:
        Problem: 422, it is not a position.
    """
    if text is None:
        return 0
    if not _POSITION.fullmatch(text):
        raise refused([FieldError(POSITION, "Must be a number that a command answered")])
    return int(text)


async def wait_for_position(request: web.Request) -> int:
    """Wait for what the request asks for; returns the position that is certain to be seen.

    Raises:
        Problem: 422, the header is not a position.
        NotThereYet: The projection did not get there in time.
    """
    gate = request.app[GATE]
    position = wanted_position(request.headers.get(POSITION))
    await gate.wait(position, seconds=request.app[SETTINGS].position_wait_seconds)
    return gate.position
