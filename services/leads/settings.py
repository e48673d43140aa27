"""What the leads service can be told."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator

from libs.chassis.settings import Port, ServiceSettings
from services.leads.auth.mfa.sealing import Sealing
from services.leads.auth.oidc.provider import is_safe
from services.leads.auth.oidc.roles import parse_mapping
from services.leads.scanning.clamd import parse_address


class LeadsSettings(ServiceSettings, service="leads"):
    """Settings of the attorneys' side; each is read from `LEADLOG_LEADS_<NAME>`."""

    http_port: Port = Field(8081, description="The port to listen on.")
    metrics_port: Port = Field(9081, description="The port of the metrics; 0 turns it off.")
    database: Path = Field(
        Path("var/leads.sqlite"),
        description="This replica's own copy of the leads; it can be deleted at any time.",
    )
    janitor_interval_seconds: float = Field(
        3600, gt=0, description="How often resumes without a lead are looked for."
    )
    janitor_grace_seconds: float = Field(
        3600, ge=60, description="How old such a resume must be before it is erased."
    )
    erasures_interval_seconds: float = Field(
        60,
        gt=0,
        le=3600,
        description="How often erasures are finished and the retention rule is looked at.",
    )
    clamd: str = Field(
        "",
        description="Where ClamAV's clamd listens, to have resumes scanned for viruses:"
        " `tcp://host:3310` or `unix:///run/clamav/clamd.ctl`. Empty: they are not.",
    )
    position_wait_seconds: float = Field(
        5.0, gt=0, le=60, description="How long a query waits for the position it asks for."
    )
    token_issuer: str = Field("leadlog", description="The `iss` claim of access tokens.")
    token_audience: str = Field("leadlog-leads", description="The `aud` claim of access tokens.")
    access_token_seconds: int = Field(
        600, ge=1, le=3600, description="How long an access token is good for."
    )
    session_seconds: int = Field(
        30 * 86400,
        ge=60,
        le=30 * 86400,
        description="How long after a login the refresh token ends at the latest.",
    )
    public_url: str = Field(
        "http://localhost:8081",
        description="Where browsers reach this service. Passkeys are bound to its host name for"
        " ever, and work from this origin only.",
    )
    credential_key: list[SecretStr] = Field(
        default_factory=list,
        description="Keys that seal the secrets of authenticator apps: 32 bytes in base64 each"
        " (`openssl rand -base64 32`), the newest first. Without one they are stored unsealed.",
    )
    oidc_issuer: str | None = Field(
        None, description="The identity provider's issuer address; setting it turns OIDC on."
    )
    oidc_client_id: str | None = Field(None, description="Leadlog's name at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Its secret there; leave it out for a public client (PKCE alone)."
    )
    oidc_redirect_url: str | None = Field(
        None,
        description="The address of this service's `/auth/oidc/callback`, as the provider has it.",
    )
    oidc_return_url: str | None = Field(
        None, description="The page a browser goes to after signing in, such as the inbox."
    )
    oidc_scopes: list[str] = Field(
        ["openid", "email", "profile"], min_length=1, description="What the provider is asked for."
    )
    oidc_prompt: Literal["select_account", "login", "consent"] | None = Field(
        None,
        description="What the provider has to ask at each sign-in, so that no page can sign"
        " somebody in without a click: `select_account`, where the provider knows it, or `login`.",
    )
    oidc_groups_claim: str = Field("groups", description="The claim that roles are mapped from.")
    oidc_roles: list[str] = Field(
        default_factory=list,
        description="Roles by group, such as `partners=admin,associates=attorney`; when set, who"
        " is in none of them is not let in. Empty: roles are given in Leadlog.",
    )
    oidc_create_accounts: bool = Field(
        False, description="Whether somebody without an account gets one at the first sign-in."
    )
    oidc_ca: FilePath | None = Field(
        None, description="Certificate authorities to trust at the provider, for an own one."
    )

    @field_validator("oidc_issuer", "oidc_redirect_url", "oidc_return_url")
    @classmethod
    def _encrypted(cls, url: str | None) -> str | None:
        if url is not None and (not is_safe(url) or "#" in url):
            msg = "it must begin with https:// (http:// only for this machine), without a #"
            raise ValueError(msg)
        return url

    @field_validator("clamd")
    @classmethod
    def _clamd(cls, address: str) -> str:
        if address:
            parse_address(address)
        return address

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, url: str) -> str:
        origin = url.rstrip("/")
        parts = urlsplit(origin)
        if not is_safe(origin) or origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin:
            msg = "it must be https:// and a host (http:// only for this machine), and no more"
            raise ValueError(msg)
        return origin

    @field_validator("credential_key")
    @classmethod
    def _keys(cls, keys: list[SecretStr]) -> list[SecretStr]:
        Sealing([key.get_secret_value() for key in keys])
        return keys

    @field_validator("oidc_roles")
    @classmethod
    def _roles(cls, entries: list[str]) -> list[str]:
        parse_mapping(entries)
        return entries

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_redirect_url):
            msg = (
                "LEADLOG_LEADS_OIDC_ISSUER needs LEADLOG_LEADS_OIDC_CLIENT_ID and"
                " LEADLOG_LEADS_OIDC_REDIRECT_URL as well"
            )
            raise ValueError(msg)
        return self
