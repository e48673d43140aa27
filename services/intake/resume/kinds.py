"""The kinds of document a prospect may send (pure)."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document.

    Attributes:
        label: as people call it.
        media_type: as IANA registered it.
        extensions: what its file names end in, the usual one first.
    """

    label: str
    media_type: str
    extensions: tuple[str, ...]


PDF: Final = Kind("PDF", "application/pdf", ("pdf",))
DOC: Final = Kind("DOC", "application/msword", ("doc",))
DOCX: Final = Kind(
    "DOCX",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ("docx",),
)
ODT: Final = Kind("ODT", "application/vnd.oasis.opendocument.text", ("odt",))
RTF: Final = Kind("RTF", "application/rtf", ("rtf",))
TXT: Final = Kind("TXT", "text/plain", ("txt", "text"))

KINDS: Final = (PDF, DOC, DOCX, ODT, RTF, TXT)
ALLOWED: Final = "PDF, DOC, DOCX, ODT, RTF or TXT"
