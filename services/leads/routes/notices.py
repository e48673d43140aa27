"""Mails to an account's owner about what logs them in: whoever did it, they hear of it."""

from typing import Final

from aiohttp import web

from libs.chassis.client_address import client_address
from libs.outbox import Outbox
from services.leads.auth.accounts import Account
from services.leads.auth.notice import security_notice

OUTBOX: Final = web.AppKey("outbox", Outbox)


async def tell_owner(request: web.Request, account: Account, notice: str) -> None:
    """Leave a mail for the account's owner.

    Args:
        request: says where it comes from.
        account: Whose.
        notice: One of those that the notifier has words for.

    Raises:
        StoreUnavailable: It cannot be left.
    """
    mail = security_notice(account, notice, address=client_address(request))
    await request.app[OUTBOX].put(mail)
