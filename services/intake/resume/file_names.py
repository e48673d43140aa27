"""A resume's file name: data to show and to offer again, never a path (pure)."""

import unicodedata
from typing import Final

from services.intake.text import hides_text

MAX_LENGTH: Final = 150
_MAX_EXTENSION: Final = 10


def clean_file_name(sent: str) -> str:
    """What is left of a file name without folders and characters that hide or reorder.

    Windows browsers of old sent whole paths; both slashes count as separators.
    The result may be empty and has at most ``MAX_LENGTH`` characters.
    """
    last = sent.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if not hides_text(character))
    # Composed after the removal, which can bring a letter and its accent together.
    return _shorten(unicodedata.normalize("NFC", shown).strip(" ."))


def extension_of(name: str) -> str:
    """The lower-case extension without its dot; empty when there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


def with_extension(name: str, extension: str) -> str:
    """A name that has an extension: ``resume.pdf`` for an empty one."""
    name = name or "resume"
    return name if extension_of(name) else _shorten(f"{name}.{extension}")


def _shorten(name: str) -> str:
    if len(name) <= MAX_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _MAX_EXTENSION:
        return name[:MAX_LENGTH].rstrip(" .")
    return f"{stem[: MAX_LENGTH - len(extension) - 1].rstrip(' .')}.{extension}"
