"""Making what a stranger typed fit for a header, a greeting or a body (pure)."""

import re
import textwrap
import unicodedata
from functools import lru_cache
from typing import Final

MAX_GREETED: Final = 60
MAX_MESSAGE: Final = 10_000
SIGNATURE: Final = "-- "
"""Stands before a signature; its space belongs to it (RFC 3676, section 4.3)."""
_WIDTH: Final = 72

# Lets a name look like another one: U+202A to U+202E and U+2066 to U+2069 (UAX #9).
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPACES: Final = re.compile(r"\s+")
_NAME_MARKS: Final = frozenset(" '\u2019-.\u200c\u200d")
# "x.yz": mail programs turn it into a link.
_LINK: Final = re.compile(r"\w\w\.\w\w")
_QUOTED: Final = re.compile(r"(?:> ?|\s)*")


def one_line(text: str, limit: int = 200) -> str:
    """The text without controls, on one line, at most ``limit`` characters long."""
    line = _SPACES.sub(" ", _without_controls(text)).strip()
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def paragraphs(text: str, limit: int = MAX_MESSAGE) -> str:
    """The text with its line breaks, and no other controls."""
    lines = [_without_controls(line).rstrip() for line in text.expandtabs(4).splitlines()]
    whole = "\n".join(lines).strip("\n")
    return whole if len(whole) <= limit else f"{whole[: limit - 1].rstrip()}…"


def greeted_name(first: str, last: str) -> str | None:
    """The name to greet a stranger by, or None when it does not look like a name.

    The acknowledgement goes to an address that anybody may type into the form. What is
    greeted must not carry an advertiser's sentence or link, so only letters and what stands
    between the letters of names pass, and not many.
    """
    name = one_line(f"{first} {last}", limit=MAX_GREETED + 1)
    plain = all(c in _NAME_MARKS or unicodedata.category(c)[0] in "LM" for c in name)
    if not name or not plain or len(name) > MAX_GREETED or _LINK.search(name):
        return None
    return name


def human_size(size: int) -> str:
    """Bytes as a person reads them: ``20 KB``, ``1.4 MB``."""
    if size < 1000:  # noqa: PLR2004 - one kilobyte
        return f"{size} bytes"
    if size < 1_000_000:  # noqa: PLR2004 - one megabyte
        return f"{size / 1000:.0f} KB"
    return f"{size / 1_000_000:.1f} MB"


def wrapped(text: str) -> str:
    """Each line at most 72 characters wide; quote marks and indents go on, URLs stay whole."""
    return "\n".join(_wrap_line(line) for line in text.splitlines()) + "\n"


def _wrap_line(line: str) -> str:
    if line == SIGNATURE:
        return line
    if len(line) <= _WIDTH and line.isprintable():
        return line.rstrip()
    return _wrap_long_line(line)


@lru_cache(maxsize=64)  # the templates' own sentences: the same in every mail of a firm
def _wrap_long_line(line: str) -> str:
    prefix = match[0] if (match := _QUOTED.match(line)) else ""
    parts = textwrap.wrap(
        line[len(prefix) :],
        _WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(parts) if parts else line.rstrip()


def _without_controls(text: str) -> str:
    # What is printable to Python holds none of the categories below.
    return text if text.isprintable() else "".join(_harmless(c) for c in text)


def _harmless(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cs":  # half a character: no encoding can write it
            return "\ufffd"
        case "Cf" if character in _BIDI_CONTROLS:
            return ""
        case _:
            return character
