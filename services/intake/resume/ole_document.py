"""DOC: a look inside an OLE compound file ([MS-DOC] and [MS-CFB], Microsoft)."""

import struct
from typing import BinaryIO, Final

import olefile  # type: ignore[import-untyped]  # it has no annotations

from services.intake.resume.kinds import DOC, Kind
from services.intake.resume.zip_document import NotADocument

MAGIC: Final[bytes] = olefile.MAGIC
"""What every OLE file begins with."""
_BROKEN: Final = (
    olefile.olefile.OleFileError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    MemoryError,
    OverflowError,
    struct.error,
)


def look_inside(file: BinaryIO) -> Kind:
    """Which kind of document an OLE file is.

    Raises:
        NotADocument: it is no Word document, or one that cannot be opened.
    """
    file.seek(0)
    try:
        ole = olefile.OleFileIO(file, raise_defects=olefile.DEFECT_INCORRECT)
        # olefile closes what it opened itself and leaves our file alone.
        streams = {"/".join(path) for path in ole.listdir(streams=True, storages=True)}
    except _BROKEN:
        raise NotADocument("it is damaged") from None
    if "EncryptedPackage" in streams:
        raise NotADocument("it is protected by a password")
    if "WordDocument" not in streams:
        raise NotADocument("it is an Office file but not a Word document")
    if any(name.endswith("VBA") for name in streams):
        raise NotADocument("it contains macros")
    return DOC
