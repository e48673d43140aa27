"""compose.yaml names only settings that exist, files that exist, commands that exist."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.chassis.settings import ServiceSettings
from services.cli.broker import OperatorSettings
from services.intake.settings import IntakeSettings
from services.leads.settings import LeadsSettings
from services.notifier.settings import NotifierSettings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SETTINGS: dict[str, type[ServiceSettings]] = {
    "intake": IntakeSettings,
    "leads": LeadsSettings,
    "notifier": NotifierSettings,
    "provision": OperatorSettings,
}
DOCKERFILE = {"LEADLOG_HTTP_HOST": "0.0.0.0", "LEADLOG_METRICS_HOST": "0.0.0.0"}  # noqa: S104


def example() -> dict[str, str]:
    text = (ROOT / "deploy" / "compose.env.example").read_text()
    return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))


def filled_in(value: str, variables: dict[str, str]) -> str:
    """Compose's interpolation: ${NAME:-default} and ${NAME:?message}."""
    return re.sub(
        r"\$\{(\w+)(?::([-?])([^}]*))?\}",
        lambda m: variables.get(m[1]) or (m[3] if m[2] == "-" else ""),
        value,
    )


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_environment_makes_valid_settings(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    for variable in [v for v in os.environ if v.startswith("LEADLOG_")]:
        monkeypatch.delenv(variable)
    environment = DOCKERFILE | COMPOSE["services"][name]["environment"]
    for variable, value in environment.items():
        text = filled_in(value, example())
        monkeypatch.setenv(variable, str(secret) if variable.endswith("_FILE") else text)
    settings = SETTINGS[name]()
    assert settings.environment == "production"
    assert settings.nats_password is not None
    assert settings.nats_password.get_secret_value() == "s3cret"


def test_the_nats_configuration_gets_all_it_asks_for() -> None:
    nats = COMPOSE["services"]["nats"]
    asked = set(re.findall(r": \$(\w+)", (ROOT / "deploy/nats/leadlog.conf").read_text()))
    given = set(nats["environment"]) | set(re.findall(r"(\w+)=", nats["command"][0]))
    assert asked == given


def test_services_run_without_rights_they_do_not_need() -> None:
    for name in SETTINGS:
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "USER leadlog" in (ROOT / "deploy/Dockerfile").read_text()
