"""What every answer tells a browser: by default, that nothing of it may be run, framed or kept.

By the OWASP Secure Headers Project, https://owasp.org/www-project-secure-headers/.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEFAULT_CSP: Final = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "style-src 'self'; img-src 'self' data:"
)
_FEATURES: Final = (
    "camera",
    "display-capture",
    "geolocation",
    "microphone",
    "payment",
    "usb",
)
# Two years and every subdomain: ASVS 5.0, 3.4.1 asks for one year at least. No "preload":
# that binds the firm's whole domain for months, which is the firm's to decide.
_HSTS: Final = "max-age=63072000; includeSubDomains"

SECURITY_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": DEFAULT_CSP,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
        "Cache-Control": "no-store",
    }
)
"""An answer that sets one of these itself keeps its own value."""


def security_headers(*, tls: bool) -> Mapping[str, str]:
    """The headers of an answer.

    Args:
        tls: whether the client came by TLS; without it a browser must ignore HSTS
            (RFC 6797, 7.2), so it is not sent.
    """
    return {**SECURITY_HEADERS, "Strict-Transport-Security": _HSTS} if tls else SECURITY_HEADERS
