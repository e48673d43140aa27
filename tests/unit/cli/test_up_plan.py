from dataclasses import replace
from pathlib import Path

from rich.console import Console

from services.cli.nats_server import NatsServer
from services.cli.up import plan, words
from services.cli.up.data import DataFolder
from services.cli.up.plan import Options
from services.cli.up.ports import Ports

OPTIONS = Options(DataFolder(Path("d")), replace(Ports(), smtp=2525), "me@firm.example", False)
SERVER = NatsServer(store=Path("d"), port=4222, http_port=8222)


def environment(**given: str) -> dict[str, str]:
    return plan.service_environment("notifier", OPTIONS, SERVER, given)


def test_mail_goes_to_the_catcher_unless_a_person_names_a_mail_server() -> None:
    usual = environment()
    assert usual["LEADLOG_NOTIFIER_SMTP_HOST"] == "127.0.0.1"
    assert usual["LEADLOG_NOTIFIER_SMTP_PORT"] == "2525"
    assert usual["LEADLOG_NOTIFIER_SMTP_TLS"] == "none"
    assert usual["LEADLOG_NOTIFIER_ATTORNEY_EMAILS"] == "me@firm.example"
    named = environment(LEADLOG_NOTIFIER_SMTP_HOST="smtp.firm.example")
    assert named["LEADLOG_NOTIFIER_SMTP_HOST"] == "smtp.firm.example"
    assert "LEADLOG_NOTIFIER_SMTP_TLS" not in named


def test_a_persons_settings_reach_the_services() -> None:
    assert environment(LEADLOG_LOG_LEVEL="debug")["LEADLOG_LOG_LEVEL"] == "debug"
    assert environment(LEADLOG_NOTIFIER_MAIL_FROM="x@y.example")["LEADLOG_NOTIFIER_MAIL_FROM"] == (
        "x@y.example"
    )


def test_mailed_links_lead_to_the_port_that_leads_has() -> None:
    elsewhere = replace(OPTIONS, ports=replace(Ports(), leads=18081))
    made = plan.service_environment("leads", elsewhere, SERVER, {})
    assert made["LEADLOG_LEADS_PUBLIC_URL"] == "http://localhost:18081"
    given = environment(LEADLOG_LEADS_PUBLIC_URL="https://leads.firm.example")
    assert given["LEADLOG_LEADS_PUBLIC_URL"] == "https://leads.firm.example"


def test_what_would_lead_to_another_nats_or_port_does_not() -> None:
    made = environment(
        LEADLOG_NATS_URL="nats://elsewhere",
        LEADLOG_INTAKE_NATS_URL="nats://elsewhere",
        LEADLOG_NATS_PASSWORD="theirs",
        LEADLOG_NATS_NKEY_SEED_FILE="/secret",
        LEADLOG_LEADS_HTTP_PORT="1",
        LEADLOG_LEADS_HTTP_PORT_FILE="/port",
    )
    assert made["LEADLOG_NATS_URL"] == SERVER.url
    assert "LEADLOG_NATS_PASSWORD" not in made
    assert made["LEADLOG_LEADS_HTTP_PORT"] == "8081"
    assert not any(name.endswith("_FILE") or name == "LEADLOG_INTAKE_NATS_URL" for name in made)


def test_each_service_gets_its_own_key_and_no_other() -> None:
    children = plan.service_children(OPTIONS, SERVER, print)
    for child in children:
        held = [user for user, seed in SERVER.seeds.items() if seed in child.environment.values()]
        assert held == [child.name]


def test_each_part_holds_the_data_folder_and_stops_before_what_it_needs() -> None:
    options = replace(OPTIONS, lock=7)
    children = plan.service_children(options, SERVER, print)
    assert [child.name for child in children] == ["intake", "leads", "notifier"]
    others = [plan.mail_child(options, print), plan.nats_child(options, SERVER, print)]
    assert {child.inherits for child in [*children, *others]} == {(7,)}


def said(password: str | None, email: str = "me@firm.example") -> str:

    console = Console(width=160)
    with console.capture() as captured:
        console.print(words.welcome(replace(OPTIONS, account_email=email), password))
    return captured.get()


def test_the_first_password_is_shown_with_a_command_that_works_as_it_stands() -> None:
    text = said("s3cret-Pass_", "o'neil@firm.example")
    assert "Password  s3cret-Pass_" in text
    assert "--data-urlencode password=s3cret-Pass_" in text
    assert "'username=o'\"'\"'neil@firm.example'" in text


def test_later_no_password_is_known_and_the_way_to_a_new_one_is_told() -> None:
    text = said(None)
    assert "leadlog account set-password EMAIL" in text
    assert "password=PASSWORD" in text


def test_every_address_stands_in_the_welcome() -> None:
    text = said(None)
    for name in ("form", "mails", "inbox", "intake_metrics", "leads_metrics", "notifier_metrics"):
        assert plan.urls(OPTIONS.ports)[name] in text
