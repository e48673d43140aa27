"""HTTP status codes in words, the same ones under every Python version [pure]."""

from http import HTTPStatus

# RFC 9110's names; Python has them from 3.13 on only, and a problem's type must not change
# with the interpreter.
_RFC9110 = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def phrase(status: int) -> str:
    """Return a status code's reason phrase as RFC 9110 has it."""
    return _RFC9110.get(status) or HTTPStatus(status).phrase
