"""compose.yaml names only settings that exist, files that exist, commands that exist."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.chassis.settings import ServiceSettings
from services.cli.broker import OperatorSettings
from services.cli.nats_keys import KeyFolder, new_seed, server_environment
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
    secret, seed = tmp_path / "secret", tmp_path / "seed"
    secret.write_text("s3cret\n")
    seed.write_text(f"{new_seed()}\n")
    for variable in [v for v in os.environ if v.startswith("LEADLOG_")]:
        monkeypatch.delenv(variable)
    environment = DOCKERFILE | COMPOSE["services"][name]["environment"]
    for variable, value in environment.items():
        text = filled_in(value, example())
        if variable.endswith("_FILE"):
            text = str(seed if "NKEY_SEED" in variable else secret)
        monkeypatch.setenv(variable, text)
    settings = SETTINGS[name]()
    assert settings.environment == "production"
    assert settings.nats_nkey_seed is not None
    assert settings.nats_nkey_seed.get_secret_value() == seed.read_text().strip()


def test_the_nats_configuration_gets_all_it_asks_for(tmp_path: Path) -> None:
    nats = COMPOSE["services"]["nats"]
    files = [ROOT / "deploy/nats" / name for name in ("server.conf", "permissions.conf")]
    text = "".join(file.read_text() for file in files)
    asked = set(re.findall(r": \$(\w+)$", text, re.MULTILINE))
    assert nats["env_file"] == "secrets/nats.env"
    assert asked <= set(nats["environment"]) | set(server_environment(KeyFolder(tmp_path).seeds()))


def test_each_container_holds_one_key_its_own() -> None:
    for name in SETTINGS:
        user = "operator" if name == "provision" else name
        seeds = [one for one in COMPOSE["services"][name]["secrets"] if one != "smtp_password"]
        assert seeds == [{"source": f"nats_{user}", "target": "nats_seed"}]
        assert COMPOSE["secrets"][f"nats_{user}"] == {"file": f"./secrets/nats/{user}.seed"}
    assert "secrets" not in COMPOSE["services"]["nats"]
    assert "secrets" not in COMPOSE["services"]["keys"]


def test_services_run_without_rights_they_do_not_need() -> None:
    for name in SETTINGS:
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "USER leadlog" in (ROOT / "deploy/Dockerfile").read_text()
