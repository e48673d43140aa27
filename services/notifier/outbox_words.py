"""What the mails to attorneys about their accounts say (pure)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from libs.outbox import OutboxMail
from services.notifier.policy import Firm, Mail
from services.notifier.texts import MAX_GREETED, one_line

INVITATION: Final = "account_invitation"
RESET: Final = "password_reset"
NOTICE: Final = "security_notice"
TEMPLATES: Final = (INVITATION, RESET, NOTICE)

NOTICES: Final[Mapping[str, tuple[str, str]]] = {
    "password-changed": (
        "Your password was changed",
        (
            "The password of your account was changed. Everywhere else you were signed in, you "
            "have been signed out."
        ),
    ),
    "mfa-enrolled": (
        "Two-step sign-in was turned on",
        (
            "From now on signing in to your account takes a code from your authenticator app "
            "besides your password."
        ),
    ),
    "mfa-removed": (
        "Two-step sign-in was turned off",
        "Signing in to your account no longer takes a code from your authenticator app.",
    ),
    "passkey-added": (
        "A passkey was added",
        "A new passkey can now be used to sign in to your account.",
    ),
    "passkey-removed": (
        "A passkey was removed",
        "One of the passkeys of your account was removed and cannot be used any more.",
    ),
    "recovery-code-used": (
        "A recovery code was used",
        (
            "Somebody signed in to your account with one of its recovery codes. That code cannot "
            "be used again."
        ),
    ),
    "recovery-codes-renewed": (
        "You have new recovery codes",
        "New recovery codes were made for your account. The old ones cannot be used any more.",
    ),
    "second-factor-guessed": (
        "Somebody may know your password",
        (
            "Your password was entered correctly, but the codes after it were wrong several "
            "times. If that was not you, change your password now."
        ),
    ),
    "passkey-copied": (
        "One of your passkeys may have been copied",
        (
            "A passkey of your account was used in a way that means that somebody may have a "
            "copy of it, so we refused it. Remove it and add a new one."
        ),
    ),
    "refresh-token-reused": (
        "We ended one of your sessions",
        (
            "An old key to one of your sessions was used a second time. That can mean that "
            "somebody has copied it, so we ended the session; please sign in again."
        ),
    ),
    "identity-linked": (
        "A sign-in provider was connected",
        "Your account can now be signed in to through your firm's sign-in provider.",
    ),
    "identity-unlinked": (
        "A sign-in provider was disconnected",
        (
            "Your account is no longer connected to a person at your firm's sign-in provider. "
            "Wherever you were signed in, you have been signed out."
        ),
    ),
    "role-changed": (
        "What you may do was changed",
        (
            "The role of your account was changed: by an administrator, or because your groups "
            "at your firm's sign-in provider have changed."
        ),
    ),
    "deactivated": (
        "Your account was turned off",
        "An administrator turned your account off. You cannot sign in any more.",
    ),
}
"""Subject and sentence of each notice, by ``details["notice"]``."""
_OTHER: Final = (
    "The sign-in of your account was changed",
    "Something about how your account is signed in to was changed.",
)


def mail_of(mail: OutboxMail, firm: Firm) -> Mail:
    """The mail, ready to be put into words."""
    return Mail(
        template=mail.template,
        recipient_role="attorney",
        recipient=mail.recipient,
        reply_to=(firm.name, firm.reply_to),
        context=_context(mail, firm),
    )


def has_expired(mail: OutboxMail, now: datetime) -> bool:
    """Whether the mail's link works no more, so that it had better not be sent."""
    return mail.expires_at is not None and mail.expires_at <= now


def _context(mail: OutboxMail, firm: Firm) -> dict[str, str | None]:
    notice, sentence = NOTICES.get(mail.details.get("notice", ""), _OTHER)
    return {
        "name": one_line(mail.name, MAX_GREETED) or None,
        "firm_name": firm.name,
        "reply_to": firm.reply_to,
        "link": mail.link,
        "until": None if mail.expires_at is None else f"{mail.expires_at:%-d %B %Y, %H:%M} UTC",
        "invited_by": one_line(mail.details.get("invited_by", ""), MAX_GREETED) or None,
        "notice": notice,
        "sentence": sentence,
        "address": one_line(mail.details.get("address", ""), 50) or None,
        "inbox_url": firm.inbox_url,
    }
