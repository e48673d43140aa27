from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.chassis.settings import ServiceSettings, SettingsError, load_settings


class DemoSettings(ServiceSettings, service="intake"):
    http_port: int = 8080
    retries: int = 3
    origins: tuple[str, ...] = ()
    api_key: SecretStr | None = None


class NeedySettings(ServiceSettings, service="notifier"):
    smtp_host: str


def refusal(cls: type[ServiceSettings], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        load_settings(cls)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_without_any_variable_the_defaults_hold() -> None:
    settings = load_settings(DemoSettings)

    assert settings.nats_url == ["nats://127.0.0.1:4222"]
    assert settings.http_port == 8080
    assert settings.environment == "development"
    assert DemoSettings.service == "intake"


def test_a_list_is_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_INTAKE_ORIGINS", "https://a.example, https://b.example,")
    monkeypatch.setenv("LEADLOG_NATS_URL", "nats://a:4222,tls://b:4222")

    settings = load_settings(DemoSettings)

    assert settings.origins == ("https://a.example", "https://b.example")
    assert settings.nats_url == ["nats://a:4222", "tls://b:4222"]


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_INTAKE_RETRIES", "9")

    assert DemoSettings(retries=1).retries == 1
    assert DemoSettings().retries == 9


def test_a_secret_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("s3cret\n", "utf-8")
    monkeypatch.setenv("LEADLOG_INTAKE_API_KEY_FILE", str(path))

    settings = load_settings(DemoSettings)

    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_a_number_that_is_none_is_named_with_variable_and_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLOG_HTTP_PORT", "eighty")

    text = refusal(DemoSettings, capsys)

    assert text.startswith("leadlog intake: the settings are not valid")
    assert "  - LEADLOG_HTTP_PORT: Input should be a valid integer" in text
    assert "(it is 'eighty')" in text


def test_every_fault_has_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLOG_HTTP_PORT", "eighty")
    monkeypatch.setenv("LEADLOG_LOG_LEVEL", "loud")

    text = refusal(DemoSettings, capsys)

    assert "LEADLOG_HTTP_PORT" in text
    assert "LEADLOG_LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'" in text


def test_a_setting_that_is_required_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = refusal(NeedySettings, capsys)

    assert "LEADLOG_NOTIFIER_SMTP_HOST (or LEADLOG_SMTP_HOST) is not set" in text


def test_credentials_in_a_url_are_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLOG_NATS_URL", "nats://joe:hunter2@host:4222")

    text = refusal(DemoSettings, capsys)

    assert "LEADLOG_NATS_URL: leave user and password out of the URL" in text
    assert "hunter2" not in text


def test_a_misspelt_variable_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLOG_INTAKE_HTPP_PORT", "1")

    text = refusal(DemoSettings, capsys)

    assert "did you mean LEADLOG_INTAKE_HTTP_PORT?" in text


def test_a_misspelt_variable_is_refused_without_load_settings_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADLOG_INTAKE_RETRYS", "1")

    with pytest.raises(SettingsError, match="LEADLOG_INTAKE_RETRIES"):
        DemoSettings()
