"""The bytes of a mail that has a text and an HTML part (RFC 2045, RFC 2046, RFC 5322; pure).

The standard library's policies parse every header they are given and print it anew, which
took longer than all the rest of a mail (docs/performance.md). So a header of plain ASCII is
written as it is, and only others go through the library.
"""

import re
from binascii import b2a_qp
from collections.abc import Iterable
from email import policy
from functools import lru_cache
from typing import Final

# Seven bits pass every relay; nothing is gained by 8BITMIME at this size.
_ASCII: Final = policy.SMTP.clone(cte_type="7bit")
_UTF8: Final = policy.SMTPUTF8
_LINE: Final = 78  # characters, the header's name included (RFC 5322 2.1.1)
_PRINTABLE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_ENCODED_WORD: Final = "=?"
_PLAIN: Final = b"\t\r\n" + bytes(range(ord(" "), ord("~") + 1))
_LONGEST: Final = 990  # bytes of a line: RFC 5322 2.1.1 allows 998, a relay may add a dot


def alternatives(
    headers: Iterable[tuple[str, str]], text: str, html: str, *, boundary: str, utf8: bool
) -> bytes:
    """A multipart/alternative message.

    Args:
        headers: names and values, but for those that MIME adds; a value that is an address
            has its display name quoted where it must be.
        text: the plain part.
        html: the same for programs that show HTML.
        boundary: a token that stands in no part; it is lengthened until it does not.
        utf8: headers may hold UTF-8 (RFC 6532).
    """
    parts = [_part("plain", text), _part("html", html)]
    while any(boundary.encode() in part for part in parts):
        boundary += "="
    lines = [header(name, value, utf8=utf8) for name, value in headers]
    mime = (
        f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
    )
    mark = f"--{boundary}".encode()
    body = b"".join(b"%b\r\n%b\r\n" % (mark, part) for part in parts)
    return b"%b%b\r\n%b%b--\r\n" % (b"".join(lines), mime.encode(), body, mark)


def header(name: str, value: str, *, utf8: bool) -> bytes:
    """One header, folded and encoded as far as it needs to be."""
    short = len(name) + len(value) + 2 <= _LINE
    if short and _PRINTABLE.fullmatch(value) and _ENCODED_WORD not in value:
        return f"{name}: {value}\r\n".encode()
    return _folded(name, value, utf8=utf8)


@lru_cache(maxsize=256)
def _folded(name: str, value: str, *, utf8: bool) -> bytes:
    rules = _UTF8 if utf8 else _ASCII
    folded: str = rules.header_factory(name, value).fold(policy=rules)
    return folded.encode()


def _part(kind: str, words: str) -> bytes:
    lines = words.encode().splitlines()
    content, encoding = b"\r\n".join(lines) + b"\r\n", "7bit"
    if content.translate(None, _PLAIN) or max(map(len, lines), default=0) > _LONGEST:
        content, encoding = b2a_qp(content), "quoted-printable"
    head = (
        f'Content-Type: text/{kind}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + content
