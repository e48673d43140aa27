"""Errors that know no HTTP; the edge knows how to answer them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One input that was refused: its name, and what to do about it (never its value)."""

    field: str
    message: str


class StoreUnavailable(Exception):
    """The log, a bucket or the object store did not answer in time.

    Attributes:
        ambiguous: True when a write may have happened although no confirmation arrived. The
            caller must then retry with the same id, or look, before it says "it failed".
    """

    def __init__(
        self, message: str = "the store did not answer", *, ambiguous: bool = False
    ) -> None:
        super().__init__(message)
        self.ambiguous = ambiguous
