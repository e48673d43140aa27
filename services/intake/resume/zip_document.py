"""DOCX and ODT: a look inside a zip archive that may be built to hurt.

Nothing is unpacked but two small entries, each up to a limit. The archive's directory
is checked before the zip library reads it, since its entries become objects in memory.
"""

import struct
import zipfile
import zlib
from typing import BinaryIO, Final

from services.intake.resume.kinds import DOCX, ODT, Kind

MAX_DIRECTORY: Final = 512 * 1024  # bytes: some thousand entries
MAX_UNPACKED: Final = 200 * 1024 * 1024  # bytes, all entries together
MAX_RATIO: Final = 200  # unpacked to packed, for all entries together
_SMALL: Final = 1024 * 1024  # bytes: below it the ratio says nothing
_MAX_ENTRY_READ: Final = 256 * 1024  # bytes
_ENCRYPTED: Final = 0x1  # general purpose bit 0, PKWARE APPNOTE 4.4.4

# End of central directory record, APPNOTE 4.3.16.
_END: Final = struct.Struct("<4s4H2LH")
_END_SIGNATURE: Final = b"PK\x05\x06"
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_ZIP64_LOCATOR_SIZE: Final = 20
_MAX_COMMENT: Final = 0xFFFF

_DOCX_MAIN: Final = (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
)
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted; NotImplementedError, a compression unknown, is one too
    ValueError,
)


class NotADocument(Exception):
    """The archive is damaged, built to hurt, or holds something else; the text says which."""


def look_inside(file: BinaryIO) -> Kind:
    """Which kind of document a zip archive is.

    Raises:
        NotADocument: none that is allowed.
    """
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            _check_entries(archive.infolist())
            return _kind(archive)
    except _BROKEN:
        raise NotADocument("it is damaged") from None


def _check_directory(file: BinaryIO) -> None:
    size = file.seek(0, 2)
    start = max(0, size - _END.size - _MAX_COMMENT - _ZIP64_LOCATOR_SIZE)
    file.seek(start)
    tail = file.read(_END.size + _MAX_COMMENT + _ZIP64_LOCATOR_SIZE)
    at = _end_record(tail)
    if at < 0:
        raise NotADocument("it is damaged")
    if _ZIP64_LOCATOR in tail[max(0, at - _ZIP64_LOCATOR_SIZE) : at]:
        raise NotADocument("it is larger than a document should be")
    directory_size = _END.unpack_from(tail, at)[5]
    if directory_size > MAX_DIRECTORY:
        raise NotADocument("it has too many parts")


def _end_record(tail: bytes) -> int:
    # The zip library looks in the same order: at the very end first, then backwards.
    last = len(tail) - _END.size
    if last >= 0 and tail[last : last + 4] == _END_SIGNATURE and tail[-2:] == b"\0\0":
        return last
    at = tail.rfind(_END_SIGNATURE)
    return at if at <= last else -1


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise NotADocument("it is protected by a password")
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED or unpacked > max(_SMALL, packed * MAX_RATIO):
        raise NotADocument("it unpacks to far more than a document should")


def _kind(archive: zipfile.ZipFile) -> Kind:
    names = set(archive.namelist())
    if "[Content_Types].xml" in names:
        _check_docx(_read(archive, "[Content_Types].xml"), names)
        return DOCX
    if {"mimetype", "content.xml"} <= names and _read(archive, "mimetype") == ODT.media_type:
        return ODT
    raise NotADocument("it is an archive and not a document")


def _check_docx(content_types: str, names: set[str]) -> None:
    if "macroEnabled" in content_types or any(name.endswith("vbaProject.bin") for name in names):
        raise NotADocument("it contains macros")
    if _DOCX_MAIN not in content_types or "word/document.xml" not in names:
        raise NotADocument("it is an Office file but not a Word document")


def _read(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as entry:
        content = entry.read(_MAX_ENTRY_READ + 1)
    if len(content) > _MAX_ENTRY_READ:
        raise NotADocument("it unpacks to far more than a document should")
    return content.decode("utf-8-sig")
