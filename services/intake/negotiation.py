"""Whether the one who asks is a browser or a program (RFC 9110, 12.5.1; pure)."""

from typing import Final

_HTML: Final = ("text/html", "application/xhtml+xml")
_JSON: Final = ("application/json", "application/problem+json")


def prefers_html(accept: str) -> bool:
    """Whether an Accept header names HTML and likes it better than JSON.

    Wildcards alone mean JSON: that is what command line tools and scripts send.
    """
    if "html" not in accept.lower():
        return False
    wanted = dict(_quality(part) for part in accept.lower().split(","))
    html = max((wanted.get(each, 0.0) for each in _HTML), default=0.0)
    json = max((wanted.get(each, 0.0) for each in _JSON), default=0.0)
    return html > json


def _quality(part: str) -> tuple[str, float]:
    media_type, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_type, float(value)
            except ValueError:
                return media_type, 0.0
    return media_type, 1.0
