import os
from pathlib import Path

import pytest

from libs.chassis.settings import load_settings
from services.notifier.settings import NotifierSettings

GOOD = {
    "SMTP_HOST": "smtp.example.com",
    "MAIL_FROM": "no-reply@firm.example",
    "ATTORNEY_EMAILS": "anna@firm.example, ben@firm.example",
}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]  # noqa: ANN201
    for name in [name for name in os.environ if name.startswith("LEADLOG_")]:
        monkeypatch.delenv(name)

    def read(**changes: str) -> NotifierSettings:
        for name, value in (GOOD | changes).items():
            monkeypatch.setenv(f"LEADLOG_NOTIFIER_{name}", value)
        return load_settings(NotifierSettings)

    return read


def test_what_must_be_said_is_enough(load) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    settings = load(FIRM_NAME="Harper & Lowe LLP")
    assert settings.firm.attorneys == ("anna@firm.example", "ben@firm.example")
    assert settings.firm.reply_to == "no-reply@firm.example"
    assert settings.sender.name == "Harper & Lowe LLP"
    assert (settings.server.port, settings.server.tls) == (587, "starttls")


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("implicit", 465), ("none", 25)])
def test_each_kind_of_tls_has_its_port(load, tls: str, port: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    assert load(SMTP_TLS=tls).server.port == port
    assert load(SMTP_TLS=tls, SMTP_PORT="2525").server.port == 2525


def test_a_password_from_a_file_is_not_shown(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    file = tmp_path / "password"
    file.write_text("app-password-7\n")
    settings = load(SMTP_USERNAME="leadlog", SMTP_PASSWORD_FILE=str(file))
    assert settings.server.password == "app-password-7"
    assert "app-password" not in repr(settings) + repr(settings.server)


def test_an_attorney_named_twice_gets_one_mail(load) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    settings = load(ATTORNEY_EMAILS="anna@firm.example,anna@firm.example")
    assert settings.firm.attorneys == ("anna@firm.example",)


def test_the_link_has_one_slash(load) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    assert load(INBOX_URL="https://leads.example/").firm.inbox_url == "https://leads.example"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SMTP_HOST": ""}, "LEADLOG_NOTIFIER_SMTP_HOST"),
        ({"MAIL_FROM": ""}, "LEADLOG_NOTIFIER_MAIL_FROM"),
        ({"MAIL_FROM": "no address"}, "LEADLOG_NOTIFIER_MAIL_FROM: not a valid email address"),
        ({"MAIL_FROM": "büro@firm.example"}, "ASCII characters before the @"),
        ({"REPLY_TO": "@"}, "LEADLOG_NOTIFIER_REPLY_TO"),
        ({"ATTORNEY_EMAILS": ""}, "LEADLOG_NOTIFIER_ATTORNEY_EMAILS"),
        ({"ATTORNEY_EMAILS": ","}, "LEADLOG_NOTIFIER_ATTORNEY_EMAILS"),
        ({"ATTORNEY_EMAILS": "anna@firm.example,ben"}, "LEADLOG_NOTIFIER_ATTORNEY_EMAILS"),
        ({"SMTP_TLS": "ssl"}, "LEADLOG_NOTIFIER_SMTP_TLS"),
        ({"SMTP_TLS": "none", "ENVIRONMENT": "production"}, "set it to starttls or implicit"),
        (
            {"SMTP_TLS": "none", "SMTP_USERNAME": "u", "SMTP_PASSWORD": "p"},
            "a password must not travel unencrypted",
        ),
        ({"SMTP_USERNAME": "u"}, "belong together"),
        ({"SMTP_PASSWORD": "p"}, "belong together"),
        ({"SMTP_CA_FILE": "/nowhere.pem"}, "LEADLOG_NOTIFIER_SMTP_CA_FILE: there is no such file"),
        ({"SMTP_PORT": "0"}, "LEADLOG_NOTIFIER_SMTP_PORT"),
        ({"INBOX_URL": "leads.example"}, "must be a full URL"),
        ({"SMTP_HOSTS": "x"}, "did you mean LEADLOG_NOTIFIER_SMTP_HOST"),
    ],
)
def test_what_is_wrong_is_named(  # type: ignore[no-untyped-def]
    load,  # noqa: ANN001
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as end:
        load(**changes)
    assert end.value.code == 2
    assert said in capsys.readouterr().err
