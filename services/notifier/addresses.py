"""Email addresses as SMTP takes them (pure)."""

from dataclasses import dataclass, field
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email


class ImpossibleAddress(ValueError):
    """No mail can be sent to this address, now or later; the text does not repeat it."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address whose domain is in ASCII.

    Attributes:
        local: the part before the @, as it was given.
        domain: the part after it; an internationalized name as punycode (RFC 5891), so that
            servers without SMTPUTF8 (RFC 6531) take the address.
    """

    local: str = field(repr=False)
    domain: str = field(repr=False)

    @property
    def spec(self) -> str:
        """``local@domain``."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it."""
        return not self.local.isascii()


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address:
    """Check an address by its syntax; nobody is asked whether it exists.

    The top-level domain ``test`` (RFC 6761) passes, since trial set-ups live there.

    Raises:
        ImpossibleAddress: it cannot be an address.
    """
    try:
        valid = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        # The library's sentences speak of "the part after the @-sign" and may quote a
        # character, never the address.
        raise ImpossibleAddress(f"not a valid email address: {error}") from None
    return Address(valid.local_part, valid.ascii_domain)
