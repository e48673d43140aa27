"""What clamd's answers mean (pure); the protocol stands in clamd(8)."""

import re
from dataclasses import dataclass
from typing import Final

_FOUND: Final = re.compile(r"stream: (?P<signature>.{1,300}) FOUND")
_ABOUT_THE_FILE: Final = re.compile(r"stream: .* ERROR")
_TOO_LARGE: Final = "INSTREAM size limit exceeded. ERROR"
_LONGEST: Final = 200


class ClamdAway(Exception):
    """clamd does not answer, or has a fault of its own: the same file may be asked again."""


class ScanFailed(Exception):
    """clamd could not make sense of this one file."""


class TooLarge(Exception):
    """The file has more bytes than clamd's StreamMaxLength."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan has found; the signature is None when it is nothing."""

    signature: str | None


def read_reply(reply: bytes) -> Found:
    """Say what an answer to INSTREAM means.

    Raises:
        ClamdAway: a fault of clamd's own (no room for its temporary file, say), or no answer.
        ScanFailed: a fault with this file.
        TooLarge: it is over StreamMaxLength.
    """
    text = plain(reply)
    if text == "stream: OK":
        return Found(None)
    if found := _FOUND.fullmatch(text):
        return Found(found["signature"][:_LONGEST])
    if text == _TOO_LARGE:
        raise TooLarge
    if _ABOUT_THE_FILE.fullmatch(text):
        raise ScanFailed
    raise ClamdAway("it gave no answer" if not text else "it answered with an error of its own")


def plain(reply: bytes) -> str:
    """Return an answer as one line of visible text."""
    text = reply.partition(b"\0")[0].decode("utf-8", errors="replace").strip()
    return "".join(char if char.isprintable() else "?" for char in text)


def engine_of(reply: bytes) -> str | None:
    """Return what an answer to VERSION says, such as `ClamAV 1.4.6/27800/Tue Nov 24 ...`."""
    return plain(reply)[:_LONGEST] or None
