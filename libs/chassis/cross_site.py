"""Whether a request that changes something was sent by another site's page [pure].

No credential that a browser adds by itself logs anybody in (the one cookie binds a sign-in with
the identity provider to its browser), so there is
nothing to ride on; what remains is a page that makes its visitors send forms. The rule is the
one of Go's net/http.CrossOriginProtection (https://pkg.go.dev/net/http#CrossOriginProtection,
after https://words.filippo.io/csrf/), which needs no token and no state:

1. An origin on the allow-list may send.
2. Otherwise ``Sec-Fetch-Site``, which no page can forge, must say ``same-origin`` or ``none``.
3. Where that is missing (old browsers; plain HTTP), ``Origin`` must name this host.
4. A request with neither is no browser's, and comes by nobody's will but its sender's.
"""

from collections.abc import Collection
from urllib.parse import urlsplit


def is_cross_site(
    *, host: str, origin: str | None, fetch_site: str | None, allowed: Collection[str] = ()
) -> bool:
    """Whether to refuse.

    Args:
        host: the ``Host`` header.
        origin: the ``Origin`` header, if there is one; ``null`` names no origin.
        fetch_site: the ``Sec-Fetch-Site`` header, if there is one.
        allowed: origins whose pages may send, in lower case.
    """
    if origin is not None and origin.lower() in allowed:
        return False
    if fetch_site is not None:
        return fetch_site not in {"same-origin", "none"}
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:  # an IPv6 address that is none
        return True
