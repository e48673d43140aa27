"""The SMTP envelope, kept as header lines in front of the mail (pure).

A blind copy's recipient stands nowhere in a mail's own headers, so what ``MAIL FROM`` and
``RCPT TO`` said (RFC 5321, section 2.3.1) is kept beside it. The line of the sender comes
last: it ends what is ours, and a mail that brings such lines of its own changes nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TO: Final = b"X-Leadlog-Envelope-To: "
FROM: Final = b"X-Leadlog-Envelope-From: "
_STAMP: Final = re.compile(rb"((?:%s[^\r\n]*\r\n)*)%s<([^\r\n]*)>\r\n" % (TO, FROM))
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom the server was told the mail is from and for.

    Attributes:
        sender: the empty text for a bounce's null sender.
        recipients: in the order in which they were named.
    """

    sender: str
    recipients: tuple[str, ...]


def stamp(sender: str, recipients: Iterable[str]) -> bytes:
    """The lines to put in front of a mail."""
    lines = [TO + _one_line(recipient) for recipient in recipients]
    return b"\r\n".join([*lines, FROM + b"<" + _one_line(sender) + b">", b""])


def unstamp(kept: bytes) -> tuple[Envelope | None, bytes]:
    """The envelope and the mail as it was sent; no envelope if the file was not stamped."""
    found = _STAMP.match(kept)
    if found is None:
        return None, kept
    recipients = tuple(_text(line[len(TO) :]) for line in found[1].splitlines())
    return Envelope(_text(found[2]), recipients), kept[found.end() :]


def _one_line(address: str) -> bytes:
    return _CONTROL.sub("?", address).encode("utf-8", "surrogateescape")


def _text(address: bytes) -> str:
    return address.decode("utf-8", "replace")
