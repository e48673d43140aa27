"""Whether a file is plain text."""

import codecs
from typing import BinaryIO, Final

_BLOCK: Final = 64 * 1024  # bytes
_BOMS: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UNREADABLE: Final = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f") | {"\x7f"}


def is_plain_text(file: BinaryIO) -> bool:
    """Whether all of it reads as UTF-8, UTF-16 with a BOM, or Windows-1252, without controls.

    Works block by block: memory does not grow with the file.
    """
    file.seek(0)
    head = file.read(2)
    encodings = [name for bom, name in _BOMS if head == bom] or ["utf-8", "cp1252"]
    return any(_reads_as(file, encoding) for encoding in encodings)


def _reads_as(file: BinaryIO, encoding: str) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := file.read(_BLOCK):
            if not _UNREADABLE.isdisjoint(decoder.decode(block)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
