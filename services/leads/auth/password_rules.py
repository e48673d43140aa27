"""Which passwords are refused (pure): NIST SP 800-63B-4, section 3.1.1.2.

Length and a list of what is tried first, and no rule on kinds of characters. The list is
compared with the whole password, as NIST asks, and with what is left of it once the usual
padding is gone: no common word has fifteen letters, but `password1234567` is tried early.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MIN_LENGTH: Final = 15
"""NIST's figure for a password that may be the only factor."""
MAX_LENGTH: Final = 1024
_ENOUGH: Final = 8
"""So much must be left of a password besides what everybody knows about its owner."""
_PRODUCT: Final = "leadlog"
_SHORT_WORD: Final = 3
_LONGEST_UNIT: Final = 4
_PADDING: Final = re.compile(r"[\W\d_]+")
_ROWS: Final = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiopasdfghjklzxcvbnm")


class WeakPassword(ValueError):
    """The password does not meet the rules; the text says which, and can be shown."""


def normalised(password: str) -> str:
    """Return the password in NFC, so that every keyboard writes it alike (UAX 15, 12.1)."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, about: Iterable[str] = ()) -> None:
    """Refuse a password that is too short, or among the first that anybody would try.

    Args:
        password: As it was typed.
        about: What others know of its owner: the email address, the name.

    Raises:
        WeakPassword: It is.
    """
    password = normalised(password)
    if len(password) < MIN_LENGTH:
        raise WeakPassword(
            f"a password needs at least {MIN_LENGTH} characters; a few words in a row are good"
        )
    if len(password) > MAX_LENGTH:
        raise WeakPassword(f"a password has at most {MAX_LENGTH} characters")
    lowered = password.casefold()
    if _is_common(lowered):
        raise WeakPassword(
            "this password is among those that are tried first; choose one nobody else would"
        )
    if len(_without(lowered, _words(about))) < _ENOUGH:
        raise WeakPassword(
            "this password is little more than your name, your email address or 'leadlog';"
            " choose one that others cannot think of"
        )


def _is_common(lowered: str) -> bool:
    bare = _PADDING.sub("", lowered)
    return (
        _listed(lowered)
        or _is_run(lowered)
        or _unit(lowered, _LONGEST_UNIT) != lowered
        or _listed(_unit(bare, len(bare)))
    )


def _listed(word: str) -> bool:
    # Only then: the lists take 15 MB, and most processes never check a password.
    from zxcvbn.matching import (  # type: ignore[import-untyped]  # noqa: PLC0415
        RANKED_DICTIONARIES,
    )

    return any(word in words for words in RANKED_DICTIONARIES.values())


def _is_run(text: str) -> bool:
    """Tell whether it only walks along the alphabet, the digits or the keyboard, either way."""
    return any(
        text in row * (len(text) // len(row) + 2) for way in _ROWS for row in (way, way[::-1])
    )


def _unit(text: str, longest: int) -> str:
    """Return what the text repeats, or the text itself when it repeats nothing so short."""
    for length in range(1, min(longest, len(text) // 2) + 1):
        if (text[:length] * (len(text) // length + 1))[: len(text)] == text:
            return text[:length]
    return text


def _words(about: Iterable[str]) -> list[str]:
    known = {_PRODUCT}
    for text in about:
        lowered = normalised(text).casefold()
        known |= {lowered, *_PADDING.split(lowered)}
    return sorted((word for word in known if len(word) >= _SHORT_WORD), key=len, reverse=True)


def _without(lowered: str, words: Iterable[str]) -> str:
    for word in words:
        lowered = lowered.replace(word, "")
    return _PADDING.sub("", lowered) or ""
