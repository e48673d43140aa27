"""What the notifier can be told."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from libs.chassis.settings import Port, ServiceSettings
from services.notifier.addresses import ImpossibleAddress, parse_address
from services.notifier.composing import Sender
from services.notifier.policy import Firm
from services.notifier.smtp.connection import Server, TlsMode

_PORTS: Final[dict[TlsMode, int]] = {"starttls": 587, "implicit": 465, "none": 25}
"""RFC 6409, RFC 8314, RFC 5321."""


class NotifierSettings(ServiceSettings, service="notifier"):
    """Settings of the notifier; each is read from ``LEADLOG_NOTIFIER_<NAME>``."""

    http_port: Port = Field(8082, description="The port to listen on.")
    metrics_port: Port = Field(9082, description="The port of the metrics; 0 turns it off.")

    smtp_host: str = Field(description="The firm's mail server.", min_length=1, max_length=253)
    smtp_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="By default 587 for starttls, 465 for implicit, 25 for none.",
    )
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="How the connection is encrypted; none is for trials only."
    )
    smtp_username: str | None = Field(None, description="The account to send with.")
    smtp_password: SecretStr | None = Field(None, description="Its password or app password.")
    smtp_ca_file: Path | None = Field(
        None, description="Certificate authorities to trust in place of the system's."
    )
    smtp_connections: int = Field(4, ge=1, le=100, description="Connections kept open at most.")
    smtp_timeout_seconds: float = Field(
        30, gt=0, le=600, description="How long each step may take at the mail server."
    )
    mail_from: str = Field(description="The address that mails are sent from.")
    mail_from_name: str | None = Field(
        None, description="The name beside it; by default the firm's.", max_length=100
    )
    reply_to: str | None = Field(
        None, description="Where a prospect's answer goes; by default to mail_from."
    )
    attorney_emails: list[str] = Field(
        description="Who is told of each new lead.", min_length=1, max_length=50
    )
    firm_name: str = Field("Our law firm", description="As it stands in mails.", max_length=120)
    inbox_url: str | None = Field(
        None, description="The attorneys' inbox; alerts link to <inbox_url>/leads/<id>."
    )
    concurrency: int = Field(32, ge=1, le=1000, description="Leads in hand at once.")
    ack_wait_seconds: float = Field(
        30,
        ge=1,
        le=600,
        description="How long after the last sign of life of a notifier another takes over.",
    )
    retry_base_seconds: float = Field(
        2, gt=0, description="The first retry comes within this time, each next within double."
    )
    retry_cap_seconds: float = Field(300, gt=0, description="The longest wait between retries.")

    @field_validator("mail_from", "reply_to")
    @classmethod
    def _one_address(cls, text: str | None) -> str | None:
        return None if text is None else _checked(text)

    @field_validator("attorney_emails")
    @classmethod
    def _addresses(cls, texts: list[str]) -> list[str]:
        return list(dict.fromkeys(_checked(text) for text in texts))

    @field_validator("smtp_ca_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError("there is no such file")
        return path

    @field_validator("inbox_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a full URL such as https://leads.example.com")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.smtp_tls == "none" and self.environment == "production":
            raise ValueError(
                "LEADLOG_NOTIFIER_SMTP_TLS is none, but in production mail must travel "
                "encrypted; set it to starttls or implicit"
            )
        if self.smtp_tls == "none" and self.smtp_username and not _is_loopback(self.smtp_host):
            raise ValueError(
                "LEADLOG_NOTIFIER_SMTP_USERNAME is set and LEADLOG_NOTIFIER_SMTP_TLS is none: "
                "a password must not travel unencrypted; set SMTP_TLS to starttls or implicit"
            )
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError(
                "LEADLOG_NOTIFIER_SMTP_USERNAME and LEADLOG_NOTIFIER_SMTP_PASSWORD (or "
                "..._PASSWORD_FILE) belong together; set both or neither"
            )
        return self

    @property
    def server(self) -> Server:
        """Where mails are handed over."""
        password = self.smtp_password
        return Server(
            host=self.smtp_host,
            port=self.smtp_port or _PORTS[self.smtp_tls],
            tls=self.smtp_tls,
            username=self.smtp_username,
            password=password.get_secret_value() if password else None,
            ca_file=self.smtp_ca_file,
            timeout=self.smtp_timeout_seconds,
        )

    @property
    def firm(self) -> Firm:
        """What the mails say about the firm."""
        return Firm(
            name=self.firm_name,
            attorneys=tuple(self.attorney_emails),
            reply_to=self.reply_to or self.mail_from,
            inbox_url=self.inbox_url,
        )

    @property
    def sender(self) -> Sender:
        """Whom the mails are from."""
        return Sender(self.mail_from_name or self.firm_name, parse_address(self.mail_from))


def _checked(text: str) -> str:
    try:
        address = parse_address(text)
    except ImpossibleAddress as error:
        # pydantic would put the class's own name before the text.
        raise ValueError(str(error)) from None
    if address.needs_smtputf8:
        raise ValueError("the firm's own addresses must have ASCII characters before the @")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
