"""The SMTP side: takes every mail, and says 250 once it is on disk."""

import asyncio
import logging
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.cli.mail_catcher.folder import MailFolder

MAX_MAIL_BYTES: Final = 30 * 1024 * 1024
_KEPT: Final = "250 2.0.0 OK: kept, not delivered"
_NOT_KEPT: Final = "451 4.3.0 The mail could not be written to disk; try again later"
_TROUBLE: Final = "451 4.3.0 The mail catcher had a problem; see its log"

log = structlog.get_logger()


class Keeper:
    """What aiosmtpd asks when a mail has arrived; ``busy`` counts mails being written."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder
        self.busy = 0

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail and answer."""
        data = envelope.original_content or b""
        sender = (envelope.mail_from or "").removeprefix("<>")  # the null sender of a bounce
        self.busy += 1
        try:
            mail_id = await asyncio.to_thread(self._folder.keep, sender, envelope.rcpt_tos, data)
        except OSError as error:
            log.error("mail not kept", reason=error.strerror)  # noqa: TRY400 - says it all
            return _NOT_KEPT
        finally:
            self.busy -= 1
        log.info("mail kept", id=mail_id, bytes=len(data), recipients=len(envelope.rcpt_tos))
        return _KEPT

    async def handle_exception(self, error: Exception) -> str:
        """A fault of this program: to be tried again, and logged without what the mail says."""
        log.error("SMTP session failed", error=type(error).__name__)
        return _TROUBLE


async def listen(keeper: Keeper, host: str, port: int) -> asyncio.Server:
    """Start to take mails.

    Raises:
        OSError: the port is taken or the address is not ours.
    """
    # aiosmtpd logs each command, and so each address, to this logger.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            keeper,
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname="mail-catcher.localhost",
            ident="Leadlog mail catcher",
            loop=loop,
        )

    return await loop.create_server(session, host, port, reuse_address=True)
