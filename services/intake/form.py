"""A form as it was sent: bytes by field, and one file."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from libs.chassis.errors import FieldError
from services.intake.fields import InvalidFields
from services.intake.resume import NoResume, Upload

FILE_FIELD: Final = "resume"


class Form:
    """What was sent: known text fields as bytes, and the file. Close it to give memory back."""

    def __init__(self) -> None:
        self.fields: dict[str, bytes] = {}
        self.repeated: set[str] = set()
        self.upload: Upload | None = None
        self.files = 0
        self.foreign_files: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the file's memory or disk; safe to call again."""
        if self.upload:
            self.upload.file.close()

    def text(self) -> dict[str, str]:
        """Each field's text, as far as it can be read: to show it again."""
        return {name: sent.decode(errors="replace") for name, sent in self.fields.items()}


def texts(form: Form, names: Mapping[str, str]) -> dict[str, str]:
    """The named text fields, decoded.

    Args:
        form: what was sent.
        names: each field's name and how to call it to a person.

    Raises:
        InvalidFields: one was sent twice, or is not UTF-8.
    """
    found, errors = {}, []
    for name, label in names.items():
        sent = form.fields.get(name)
        if name in form.repeated:
            errors.append(FieldError(name, f"Please send your {label} only once."))
        elif sent is not None:
            try:
                found[name] = sent.decode()
            except UnicodeDecodeError:
                errors.append(
                    FieldError(name, f"Your {label} could not be read: it is not UTF-8 text.")
                )
    if errors:
        raise InvalidFields(errors)
    return found


def the_upload(form: Form) -> Upload:
    """The form's one file.

    Raises:
        NoResume: there is none, or more than one.
    """
    if form.files > 1 or form.foreign_files:
        raise NoResume("Please send exactly one file: your resume.")
    if form.upload is None:
        raise NoResume("Please choose your resume.")
    return form.upload
