"""How much of a form is taken before it is refused."""

from dataclasses import dataclass
from typing import Final

OVERHEAD: Final = 256 * 1024  # bytes: text fields, part headers and boundaries together


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """The bounds of one form.

    Attributes:
        resume_bytes: the largest file.
        field_bytes: a text field's content beyond this is thrown away unread.
        parts: fields and files together.
        header_bytes: one header line of a part.
        headers: header lines of a part.
        memory_bytes: a file beyond this goes to a temporary file on disk.
    """

    resume_bytes: int = 10 * 1024 * 1024
    field_bytes: int = 32 * 1024
    parts: int = 40
    header_bytes: int = 4096
    headers: int = 8
    memory_bytes: int = 256 * 1024

    @property
    def body_bytes(self) -> int:
        """The largest request body."""
        return self.resume_bytes + OVERHEAD
