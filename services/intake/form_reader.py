"""Reads a multipart/form-data body piece by piece (RFC 7578).

``FormReader`` does no network I/O: it is fed with pieces of any size. Its memory is
bounded by ``FormLimits`` whatever is sent; the file goes through its hash to memory, and
from a size on to a temporary file that has no name and goes away when it is closed.
"""

import hashlib
import tempfile
from typing import BinaryIO, Final, cast

from multipart import (  # type: ignore[import-untyped]  # it has no annotations
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from services.intake.fields import KEY_FIELD, TEXT_FIELDS
from services.intake.form import FILE_FIELD, Form
from services.intake.limits import FormLimits
from services.intake.resume import ResumeTooLarge, Upload

_KEPT: Final = frozenset({*TEXT_FIELDS, KEY_FIELD})
"""Others, such as a submit button's, are read over: kept fields alone bound the memory."""
_LONGEST_BOUNDARY: Final = 256  # characters; RFC 2046 5.1.1 allows 70


class WrongContentType(Exception):
    """The body is not multipart/form-data with a boundary."""


class BrokenForm(Exception):
    """The body is not what multipart/form-data should be."""


class FormTooLarge(Exception):
    """Too many fields, too long headers, or too many bytes besides the file."""


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
        if name in self.form.fields:
            self.form.repeated.add(name)
            return None
        return _TextPart(self.form, name, self._limits) if name in _KEPT else None


class _TextPart:
    def __init__(self, form: Form, name: str, limits: FormLimits) -> None:
        self._form, self._name, self._limit = form, name, limits.field_bytes
        self._content = bytearray()

    def take(self, content: bytes) -> None:
        room = self._limit + 1 - len(self._content)
        self._content += content[: max(0, room)]

    def end(self) -> None:
        content = bytes(self._content)
        if len(content) > self._limit:
            # Too long in any case; cut inside a character it must not look like no text.
            content = content.decode(errors="replace").encode()
        self._form.fields[self._name] = content


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
