"""``leadlog up``: options in, the whole system out."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from email_validator import EmailNotValidError, validate_email
from rich.console import Console

from services.cli import broker
from services.cli.nats_server import NatsServerProblem
from services.cli.up.child import ChildFailed
from services.cli.up.data import DataFolder, DataFolderProblem
from services.cli.up.plan import Options
from services.cli.up.ports import Ports, PortTaken, held, with_free_ports
from services.cli.up.system import System

_DEFAULTS: Final = Ports()


def _port(what: str, name: str) -> object:
    return typer.Option(
        help=what,
        envvar=f"LEADLOG_UP_{name}_PORT",
        show_envvar=False,
        min=1,
        max=65535,
        metavar="PORT",
        rich_help_panel="Ports",
    )


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise typer.BadParameter(f"'{value}' is not an email address: {error}") from None


def up(
    data: Annotated[
        Path,
        typer.Option(
            help="The folder where everything is kept.",
            envvar="LEADLOG_UP_DATA",
            show_envvar=False,
            metavar="FOLDER",
        ),
    ] = Path("var"),
    account_email: Annotated[
        str,
        typer.Option(
            help="The first account, and who gets the attorneys' mails.",
            envvar="LEADLOG_UP_ACCOUNT_EMAIL",
            show_envvar=False,
            metavar="EMAIL",
            callback=_email,
        ),
    ] = "attorney@example.com",
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Use free ports in place of the usual ones.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show every process's log here too.")
    ] = False,
    intake_port: Annotated[int, _port("The form.", "INTAKE")] = _DEFAULTS.intake,
    leads_port: Annotated[int, _port("The attorneys' API.", "LEADS")] = _DEFAULTS.leads,
    notifier_port: Annotated[int, _port("The notifier's health.", "NOTIFIER")] = _DEFAULTS.notifier,
    mail_port: Annotated[int, _port("The page with the mails.", "MAIL")] = _DEFAULTS.mail,
    smtp_port: Annotated[int, _port("The mail catcher's SMTP.", "SMTP")] = _DEFAULTS.smtp,
    nats_port: Annotated[int, _port("nats-server.", "NATS")] = _DEFAULTS.nats,
    nats_http_port: Annotated[
        int, _port("nats-server's monitoring.", "NATS_HTTP")
    ] = _DEFAULTS.nats_http,
    intake_metrics_port: Annotated[
        int, _port("The form's metrics.", "INTAKE_METRICS")
    ] = _DEFAULTS.intake_metrics,
    leads_metrics_port: Annotated[
        int, _port("The API's metrics.", "LEADS_METRICS")
    ] = _DEFAULTS.leads_metrics,
    notifier_metrics_port: Annotated[
        int, _port("The notifier's metrics.", "NOTIFIER_METRICS")
    ] = _DEFAULTS.notifier_metrics,
) -> None:
    """Run the whole system here: nats-server, the three services and a mail catcher.

    For trying it out and for development. Everything listens on 127.0.0.1 only, and no mail
    leaves this machine unless LEADLOG_NOTIFIER_SMTP_HOST names a mail server. Ctrl-C stops
    everything in order; a second Ctrl-C ends it at once. Leads are kept in the data folder.

    An option can also be given as an environment variable: --leads-port is LEADLOG_UP_LEADS_PORT.
    """
    given = locals()
    ports = Ports(**{field.name: given[f"{field.name}_port"] for field in fields(Ports)})
    if free_ports:
        ports = with_free_ports(ports)
    options = Options(DataFolder(data), ports, account_email, verbose)
    try:
        _run(options)
    except (DataFolderProblem, PortTaken, NatsServerProblem, ChildFailed) as error:
        broker.give_up(str(error))


def _run(options: Options) -> None:
    options.data.prepare()
    with options.data.locked() as lock, held(options.ports):
        broker.run(System(replace(options, lock=lock), Console()).run())
