"""What the intake service can be told from outside."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from libs.chassis.settings import Port, ServiceSettings
from services.intake.limits import FormLimits

_MEGABYTE: Final = 1024 * 1024
_ORIGIN: Final = "must be exact origins such as https://www.example.com, without a path"


def origin_of(url: str) -> str:
    """The origin of a URL (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class IntakeSettings(ServiceSettings, service="intake"):
    """Settings of the intake service; sizes in bytes, times in seconds."""

    http_port: Port = Field(8080, description="The port to listen on.")
    metrics_port: Port = Field(9080, description="The port of the metrics; 0 turns it off.")
    firm_name: str = Field("Our law firm", description="Heads the hosted form.", max_length=120)
    form_intro: str = Field(
        "Tell us who you are and send us your resume. An attorney reads every submission "
        "and gets back to you by email.",
        description="The text under the heading of the hosted form.",
        max_length=600,
    )
    privacy_url: str | None = Field(None, description="The firm's privacy notice, linked.")
    thank_you_url: str | None = Field(
        None, description="Where a browser goes after the form; by default a page of this service."
    )
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Origins whose scripts may send the form and whose pages may frame it.",
    )
    max_resume_bytes: int = Field(10 * _MEGABYTE, ge=1024, description="The largest resume.")
    max_concurrent_uploads: int = Field(
        200, ge=1, description="Forms in hand at once; beyond, 503 with Retry-After."
    )
    body_timeout_seconds: float = Field(
        120, gt=0, description="How long one form may take to arrive."
    )
    submissions_per_minute: int = Field(
        30,
        ge=0,
        description="Forms one client address (of IPv6: /64) may send in the long run; 0 for no "
        "limit. Behind a proxy, set LEADLOG_TRUSTED_PROXIES, or all clients count as one.",
    )
    submissions_burst: int = Field(60, ge=1, description="Forms it may send at once.")

    @field_validator("allowed_origins")
    @classmethod
    def _exact_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or origin != origin_of(origin):
                raise ValueError(_ORIGIN)
            if not parts.hostname or parts.username or set(origin) & set(" *;,'\""):
                raise ValueError(_ORIGIN)
        # A browser sends the host in lower case.
        return [origin.lower() for origin in origins]

    @field_validator("thank_you_url", "privacy_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a full URL such as https://www.example.com/thanks")
        return url

    @property
    def form_limits(self) -> FormLimits:
        """The bounds of one form."""
        return FormLimits(resume_bytes=self.max_resume_bytes)
