"""What the leads service can be told."""

from pathlib import Path

from pydantic import Field

from libs.chassis.settings import Port, ServiceSettings


class LeadsSettings(ServiceSettings, service="leads"):
    """Settings of the attorneys' side; each is read from `LEADLOG_LEADS_<NAME>`."""

    http_port: Port = Field(8081, description="The port to listen on.")
    metrics_port: Port = Field(9081, description="The port of the metrics; 0 turns it off.")
    database: Path = Field(
        Path("var/leads.sqlite"),
        description="This replica's own copy of the leads; it can be deleted at any time.",
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
