"""The client's address and scheme, of a request that may have come through proxies."""

from collections.abc import Sequence

from aiohttp import hdrs, web

from libs.chassis.forwarded import Network, client_of, scheme_of

TRUSTED_PROXIES: web.AppKey[Sequence[Network]] = web.AppKey("trusted_proxies", Sequence)


def client_address(request: web.Request) -> str:
    """The address the request comes from; a proxy's word counts only when it is trusted.

    See ``forwarded.client_of``; the setting is ``trusted_proxies``.
    """
    forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    return client_of(_peer(request), forwarded, _trusted(request))


def client_scheme(request: web.Request) -> str:
    """``https`` or ``http``, as the client sees it; a trusted proxy may say it."""
    forwarded = request.headers.getall(hdrs.X_FORWARDED_PROTO, [])
    return scheme_of(_peer(request), request.scheme, forwarded, _trusted(request))


def _peer(request: web.Request) -> str | None:
    return request.remote


def _trusted(request: web.Request) -> Sequence[Network]:
    return request.config_dict.get(TRUSTED_PROXIES, ())
