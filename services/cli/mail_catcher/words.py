"""Text out of headers and parts, whatever is wrong with their encoding (pure)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final

_LINK: Final = re.compile(r"https?://[^\s<>\"']+")
# What more often ends the sentence than the address.
_AFTER_LINK: Final = ".,;:!?)]}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; ``link`` says that it is an address to follow."""

    text: str
    link: bool


def decoded(data: bytes, charset: str | None) -> str:
    """The bytes as text, with U+FFFD where they do not fit; UTF-8 if the charset is unknown."""
    try:
        text = data.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # no such charset, or one that knows no "replace"
        text = data.decode("utf-8", "replace")
    return clean(text)


def clean(text: str) -> str:
    """The text without lone surrogates, which no answer could be encoded with."""
    return text.encode("utf-8", "replace").decode("utf-8")


def header_text(raw: str) -> str:
    """A header's value to read: unfolded, encoded words decoded (RFC 2047, RFC 6532).

    Args:
        raw: as the standard library's parser keeps it, bytes beyond ASCII as surrogates.
    """
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = " ".join(text.split())
    try:
        pieces = decode_header(unfolded)
    except (HeaderParseError, ValueError):
        return unfolded
    return " ".join("".join(_piece(*piece) for piece in pieces).split())


def _piece(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    # decode_header has put what stands between encoded words into this one itself.
    return decoded(piece, charset or "raw-unicode-escape")


def linked(text: str) -> Iterator[Piece]:
    """The text in pieces, with web addresses apart."""
    done = 0
    for found in _LINK.finditer(text):
        address = found[0].rstrip(_AFTER_LINK)
        yield Piece(text[done : found.start()], link=False)
        yield Piece(address, link=True)
        done = found.start() + len(address)
    yield Piece(text[done:], link=False)
