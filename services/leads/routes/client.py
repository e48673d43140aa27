"""Where a request comes from."""

from typing import Final

from aiohttp import hdrs, web

from libs.chassis.client_address import client_address
from services.leads.auth.sessions import ClientInfo

_MAX_AGENT: Final = 200


def client_info(request: web.Request) -> ClientInfo:
    """Return the client's address, and what it calls itself, cut to what is fit to be shown."""
    agent = request.headers.get(hdrs.USER_AGENT, "")
    shown = "".join(letter for letter in agent if letter.isprintable())
    return ClientInfo(client_address(request), shown[:_MAX_AGENT])
