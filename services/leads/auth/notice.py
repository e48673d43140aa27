"""The mail that tells an account's owner what was changed about how they sign in (pure)."""

from libs.outbox import OutboxMail
from services.leads.auth.accounts import Account


def security_notice(account: Account, notice: str, **details: str) -> OutboxMail:
    """Return the mail.

    Args:
        account: Whose.
        notice: One of those that the notifier has words for.
        **details: What more it says, such as the address that it came from.
    """
    return OutboxMail(
        template="security_notice",
        account_id=account.id,
        recipient=account.email,
        name=account.name,
        details={"notice": notice, **details},
    )
