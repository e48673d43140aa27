"""A multipart/form-data body, read piece by piece (RFC 7578).

``FormReader`` does no network I/O: it is fed with pieces of any size. Its memory is
bounded by ``FormLimits`` whatever is sent; the file goes through its hash to memory, and
from a size on to a temporary file that has no name and goes away when it is closed.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

from multipart import (  # type: ignore[import-untyped]  # it has no annotations
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from libs.chassis.problems import FieldError
from services.intake.fields import InvalidFields
from services.intake.limits import FormLimits
from services.intake.resume import NoResume, ResumeTooLarge, Upload

FILE_FIELD: Final = "resume"
_LONGEST_BOUNDARY: Final = 256  # characters; RFC 2046 5.1.1 allows 70


class WrongContentType(Exception):
    """The body is not multipart/form-data with a boundary."""


class BrokenForm(Exception):
    """The body is not what multipart/form-data should be."""


class FormTooLarge(Exception):
    """Too many fields, too long headers, or too many bytes besides the file."""


class Form:
    """What was sent: text fields as bytes, and the file. Close it to give its memory back."""

    def __init__(self) -> None:
        self.fields: dict[str, list[bytes]] = {}
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
        return {name: sent[0].decode(errors="replace") for name, sent in self.fields.items()}


def boundary_of(content_type: str) -> str:
    """The boundary that a Content-Type header names.

    Raises:
        WrongContentType: it is another type, or names none.
    """
    media_type, options = parse_options_header(content_type)
    boundary = str(options.get("boundary", ""))
    if media_type != "multipart/form-data":
        raise WrongContentType("Send the form as multipart/form-data.")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
        raise WrongContentType(
            "The Content-Type header must name the boundary of the form's parts."
        )
    return boundary


class FormReader:
    """Fills a form: ``feed`` the pieces of the body, then ``finish``."""

    def __init__(self, form: Form, boundary: str, limits: FormLimits) -> None:
        self.form = form
        self._limits = limits
        self._total = 0
        self._parser = PushMultipartParser(
            boundary,
            max_header_size=limits.header_bytes,
            max_header_count=limits.headers,
            max_segment_count=limits.parts,
        )
        self._part: _FilePart | _TextPart | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            BrokenForm: the body is damaged.
            FormTooLarge: a limit of the form was passed.
            ResumeTooLarge: the file has passed its limit.
        """
        self._total += len(piece)
        if not piece:
            return
        try:
            for event in self._parser.parse(piece):
                self._on(event)
        except ParserLimitReached:
            raise FormTooLarge("The form has too many fields or too long headers.") from None
        except MultipartError:
            raise BrokenForm("The form is damaged: its parts cannot be told apart.") from None
        if self._total > self._limits.body_bytes:
            raise FormTooLarge("The form is too large.")

    def finish(self) -> None:
        """Say that the body has ended.

        Raises:
            BrokenForm: the body ended too early.
        """
        try:
            self._parser.close()
        except MultipartError:
            raise BrokenForm("The form is not complete: its end is missing.") from None

    def _on(self, event: MultipartSegment | bytes | None) -> None:
        if isinstance(event, MultipartSegment):
            self._part = self._start(event)
        elif self._part is None:  # content of a part that is not kept
            return
        elif event is None:
            self._part.end()
            self._part = None
        else:
            self._part.take(event)

    def _start(self, segment: MultipartSegment) -> "_FilePart | _TextPart | None":
        name = segment.name or ""
        if name == FILE_FIELD:
            self.form.files += 1
            # Only one is kept; that there were more is what will be answered.
            return _FilePart(self.form, segment, self._limits) if self.form.files == 1 else None
        if segment.filename is not None:
            # A browser sends an empty file field with an empty file name.
            if segment.filename:
                self.form.foreign_files.append(name)
            return None
        return _TextPart(self.form, name, self._limits)


class _TextPart:
    def __init__(self, form: Form, name: str, limits: FormLimits) -> None:
        self._form, self._name, self._limit = form, name, limits.field_bytes
        self._content = bytearray()

    def take(self, content: bytes) -> None:
        room = self._limit + 1 - len(self._content)
        self._content += content[: max(0, room)]

    def end(self) -> None:
        self._form.fields.setdefault(self._name, []).append(bytes(self._content))


class _FilePart:
    def __init__(self, form: Form, segment: MultipartSegment, limits: FormLimits) -> None:
        self._form, self._limits = form, limits
        self._name = segment.filename
        self._file = cast("BinaryIO", tempfile.SpooledTemporaryFile(limits.memory_bytes))  # noqa: SIM115
        self._hash = hashlib.sha256()
        self._size = 0
        self._keep()

    def take(self, content: bytes) -> None:
        self._size += len(content)
        if self._size > self._limits.resume_bytes:
            raise ResumeTooLarge(self._limits.resume_bytes)
        self._hash.update(content)
        self._file.write(content)

    def end(self) -> None:
        if self._name or self._size:
            self._keep()
            return
        self._file.close()  # a file field in which nothing was chosen
        self._form.upload = None

    def _keep(self) -> None:
        # From the start, so that closing the form closes it however the reading ends.
        self._form.upload = Upload(self._name or "", self._file, self._size, self._hash.hexdigest())


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
        sent = form.fields.get(name, [])
        if len(sent) > 1:
            errors.append(FieldError(name, f"Please send your {label} only once."))
        elif sent:
            try:
                found[name] = sent[0].decode()
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
