"""Which kind of document an upload is, and whether its name agrees."""

from dataclasses import dataclass
from typing import BinaryIO, Final

import puremagic

from services.intake.resume import ole_document, zip_document
from services.intake.resume.file_names import clean_file_name, extension_of, with_extension
from services.intake.resume.kinds import ALLOWED, KINDS, PDF, RTF, TXT, Kind
from services.intake.resume.plain_text import is_plain_text
from services.intake.resume.zip_document import NotADocument

_RTF: Final = rb"{\rtf"
_ZIP: Final = b"PK"
_HEAD: Final = 2048  # bytes
_PDF_WINDOW: Final = 1024  # bytes: PDF 32000-1:2008, annex H, implementation note 13
_MARKUP: Final = frozenset({"text/html", "application/xml", "image/svg+xml"})
_LONGEST_NAMED_EXTENSION: Final = 12


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent; bytes are counted and hashed while they arrive.

    Attributes:
        file_name: as sent: not to be trusted.
        file: the content, seekable.
        size: bytes.
        sha256: lower-case hex.
    """

    file_name: str
    file: BinaryIO
    size: int
    sha256: str


class NoResume(Exception):
    """There is no file, an empty one, or more than one; the text is for a person."""


class ResumeRefused(Exception):
    """The file is not of an allowed kind, or its name says another; the text is for a person."""


class ResumeTooLarge(Exception):
    """The file has more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


def judge(upload: Upload) -> tuple[Kind, str]:
    """The kind of a resume by its content, and its cleaned file name.

    Raises:
        NoResume: it is empty.
        ResumeRefused: its content is not allowed, or its name disagrees with it.
    """
    name = clean_file_name(upload.file_name)
    if upload.size == 0:
        raise NoResume("The file is empty. Please choose your resume again.")
    try:
        kind = kind_of(upload.file)
    except NotADocument as reason:
        raise ResumeRefused(
            f"This file cannot be used: {reason}. Please send your resume as {ALLOWED}."
        ) from None
    extension = extension_of(name)
    if extension and extension not in kind.extensions:
        raise ResumeRefused(_disagreement(extension, kind))
    return kind, with_extension(name, kind.extensions[0])


def kind_of(file: BinaryIO) -> Kind:
    """The kind of a document, by its content alone.

    Raises:
        NotADocument: it is of no allowed kind; the text says what is wrong.
    """
    file.seek(0)
    head = file.read(_HEAD)
    if _is_pdf(head):
        return PDF
    if head.startswith(_RTF):
        return RTF
    if head.startswith(_ZIP):
        return zip_document.look_inside(file)
    if head.startswith(ole_document.MAGIC):
        return ole_document.look_inside(file)
    other = _media_types(head)
    # Many signatures are plain English ("From ", "Name: "): against text only markup counts.
    if _MARKUP.isdisjoint(other) and is_plain_text(file):
        return TXT
    raise NotADocument(_looks_like(other))


def _media_types(head: bytes) -> list[str]:
    try:
        return [match.mime_type for match in puremagic.magic_string(head)]
    except (puremagic.PureError, ValueError):
        return []


def _looks_like(media_types: list[str]) -> str:
    families = {"image": "a picture", "video": "a film", "audio": "sound"}
    for media_type in media_types:
        if family := families.get(media_type.partition("/")[0]):
            return f"it looks like {family}"
    return "it is not a document of a kind we can open"


def _is_pdf(head: bytes) -> bool:
    # Readers take a header after some junk, which mailers add: text, never binary, so that
    # a picture or a program with a PDF behind it does not pass.
    junk, found, _ = head[: _PDF_WINDOW + len(b"%PDF-")].partition(b"%PDF-")
    return bool(found) and all(byte >= ord(" ") or byte in b"\t\r\n\f" for byte in junk)


def _disagreement(extension: str, kind: Kind) -> str:
    if not any(extension in each.extensions for each in KINDS):
        shown = extension if len(extension) <= _LONGEST_NAMED_EXTENSION else "…"
        return f"A file ending in .{shown} cannot be used. Please send your resume as {ALLOWED}."
    return (
        f"The file's name ends in .{extension}, but its content is {kind.label}. "
        f"Please save it as {ALLOWED} and choose it again."
    )
