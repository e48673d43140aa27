"""``leadlog up``: options in, the whole system out."""

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from services.cli import broker
from services.cli.nats_server import NatsServerProblem
from services.cli.up.child import ChildFailed
from services.cli.up.data import DataFolder, DataFolderProblem
from services.cli.up.plan import Options
from services.cli.up.ports import Ports, PortTaken, check, with_free_ports
from services.cli.up.system import System

_DEFAULTS: Final = Ports()


def _port(what: str, name: str) -> object:
    return typer.Option(help=what, envvar=f"LEADLOG_UP_{name}_PORT", min=1, max=65535)


def up(
    data: Annotated[
        Path, typer.Option(help="Where everything is kept.", envvar="LEADLOG_UP_DATA")
    ] = Path("var"),
    account_email: Annotated[
        str,
        typer.Option(
            help="The first account, and who gets the attorneys' mails.",
            envvar="LEADLOG_UP_ACCOUNT_EMAIL",
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
    leaves this machine unless LEADLOG_NOTIFIER_SMTP_HOST names a mail server.
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
    with options.data.locked():
        check(options.ports)
        asyncio.run(System(options, Console()).run())
