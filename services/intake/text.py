"""What people write: cleaned, never reshaped (pure).

Names of every script pass. What is refused has no place in a name and can hide or
reorder other text on a screen: control characters, line separators, and the
bidirectional overrides and isolates (Unicode Standard Annex 9, section 2).
"""

import re
import unicodedata
from typing import Final

_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINE_CATEGORIES: Final = frozenset({"Cc", "Zl", "Zp"})
_INVISIBLE: Final = frozenset({"C", "M", "Z"})
_PHONE: Final = re.compile(r"[0-9+()\-./ ]+(?:(?:x|ext\.?) *[0-9]+)?", re.IGNORECASE)
_LEAST_PHONE_DIGITS: Final = 3


def hides_text(character: str) -> bool:
    """Whether a character breaks a line, controls a device or reorders its neighbours."""
    return character in _BIDI or unicodedata.category(character) in _LINE_CATEGORIES


def one_line(text: str) -> str:
    """Trim and compose (NFC).

    Raises:
        ValueError: there is a character that a single line must not hold.
    """
    text = unicodedata.normalize("NFC", text.strip())
    if any(hides_text(character) for character in text):
        raise ValueError("characters that cannot be shown")
    return text


def many_lines(text: str) -> str:
    """Trim, compose (NFC), and make every line end a newline.

    Raises:
        ValueError: there is a control character besides newline and tab.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in text):
        raise ValueError("characters that cannot be shown")
    return text


def is_visible(text: str) -> bool:
    """Whether there is anything to see: a letter, a digit or a sign."""
    return any(unicodedata.category(character)[0] not in _INVISIBLE for character in text)


def phone_number(text: str) -> str:
    """A phone number as it was written, with ASCII digits.

    Raises:
        ValueError: it holds something else than a phone number does.
    """
    text = "".join(_ascii_digit(char) for char in unicodedata.normalize("NFKC", text.strip()))
    digits = sum(character.isdigit() for character in text)
    if digits < _LEAST_PHONE_DIGITS or not _PHONE.fullmatch(text):
        raise ValueError("not a phone number")
    return text


def _ascii_digit(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
