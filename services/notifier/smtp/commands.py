"""The commands that hand one letter over (RFC 5321, section 3.3).

aiosmtplib has methods for them, which parse each address anew and go through each letter with
two regular expressions. Addresses are known to be right here and lines to end with CRLF, so
that was a tenth of the notifier's time for nothing (docs/performance.md).
"""

from collections.abc import Sequence
from typing import Final

from aiosmtplib import SMTP, SMTPResponse, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import normalize_message_line_endings

_OK: Final = (250,)
_TAKES: Final = (250, 251)
_GO_ON: Final = (354,)


async def mail(client: SMTP, sender: bytes, options: Sequence[bytes]) -> None:
    """Say whom a letter is from.

    Raises:
        SMTPResponseException: the server does not want it; so do the functions below.
    """
    _expect(_OK, await client.execute_command(b"MAIL", b"FROM:<%b>" % sender, *options))


async def rcpt(client: SMTP, recipient: bytes) -> None:
    """Say whom it is for."""
    _expect(_TAKES, await client.execute_command(b"RCPT", b"TO:<%b>" % recipient))


async def data(client: SMTP, content: bytes) -> SMTPResponse:
    """Send it; the server's reply to it."""
    _expect(_GO_ON, await client.execute_command(b"DATA"))
    protocol = client.protocol
    if protocol is None:
        raise SMTPServerDisconnected("Connection lost")
    # Nothing may be awaited between the two: an answer that nobody expects is thrown away.
    protocol.write(on_the_wire(content))
    return _expect(_OK, await protocol.read_response(timeout=client.timeout))


def on_the_wire(content: bytes) -> bytes:
    """A letter with its end, and with a dot before each dot that begins a line (pure)."""
    if not _ends_lines_right(content):
        # A bare CR or LF may end the letter early for some servers ("SMTP smuggling").
        content = normalize_message_line_endings(content)
    content = content.replace(b"\r\n.", b"\r\n..")
    dot = b"." if content.startswith(b".") else b""
    return b"%b%b.\r\n" % (dot, content)


def _ends_lines_right(content: bytes) -> bool:
    pairs = content.count(b"\r\n")
    return (
        content.endswith(b"\r\n")
        and content.count(b"\n") == pairs
        and content.count(b"\r") == pairs
    )


def _expect(codes: Sequence[int], response: SMTPResponse) -> SMTPResponse:
    if response.code not in codes:
        raise SMTPResponseException(response.code, response.message)
    return response
