"""Documents made by hand, small and real enough to be judged by their content."""

import io
import struct
import zipfile

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
RTF = rb"{\rtf1\ansi{\fonttbl\f0 Times;}\f0 A resume.\par}"
TXT = "Ada Byron\nAnalyst, Zürich\n".encode()
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
EXE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(200) + b"%PDF-1.4"

WORD_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
SHEET_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
MACRO_MAIN = "application/vnd.ms-word.document.macroEnabled.main+xml"
ODT_TYPE = "application/vnd.oasis.opendocument.text"


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def content_types(main: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/'
        'package/2006/content-types"><Override PartName="/word/document.xml" '
        f'ContentType="{main}"/>'
        "</Types>"
    ).encode()


def docx(main: str = WORD_MAIN, more: dict[str, bytes] | None = None) -> bytes:
    entries = {"[Content_Types].xml": content_types(main), "word/document.xml": b"<w:document/>"}
    return zipped(entries | (more or {}))


def odt(media_type: str = ODT_TYPE) -> bytes:
    return zipped({"mimetype": media_type.encode(), "content.xml": b"<office:document-content/>"})


def ole(*streams: str) -> bytes:
    """A compound file with these streams, each of 4096 zero bytes ([MS-CFB])."""
    free, end, fat_mark = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    names = ["Root Entry", *streams]
    directory_sectors = -(-len(names) // 4)
    fat = [fat_mark, *range(2, 1 + directory_sectors), end]
    starts = []
    for _ in streams:
        starts.append(len(fat))
        fat += [*range(len(fat) + 1, len(fat) + 8), end]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H6x4I", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0)
    header += struct.pack("<5I", 4096, end, 0, end, 0) + struct.pack("<I", 0)
    header += struct.pack("<I", free) * 108
    entries = b""
    for index, name in enumerate(names):
        encoded = name.encode("utf-16-le")
        root = index == 0
        right = index + 1 if 0 < index < len(names) - 1 else free
        child = 1 if root and streams else free
        start, size = (end, 0) if root else (starts[index - 1], 4096)
        entries += encoded.ljust(64, b"\0") + struct.pack("<H", len(encoded) + 2)
        entries += struct.pack("<BB3I", 5 if root else 2, 1, free, right, child)
        entries += bytes(36) + struct.pack("<IQ", start, size)
    entries = entries.ljust(512 * directory_sectors, b"\0")
    table = b"".join(struct.pack("<I", each) for each in fat).ljust(512, b"\xff")
    return header + table + entries + bytes(4096 * len(streams))


DOCX, ODT, DOC = docx(), odt(), ole("WordDocument", "1Table")
EVERY_KIND = {"pdf": PDF, "doc": DOC, "docx": DOCX, "odt": ODT, "rtf": RTF, "txt": TXT}
