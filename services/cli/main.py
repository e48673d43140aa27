"""The command ``leadlog``."""

import importlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from libs import __version__
from libs.chassis.logs import configure_logging
from libs.events.topology import Provisioned, provision
from services.cli import accounts, api_keys, broker, signing_keys
from services.cli.accounts import Data
from services.cli.audit_days import note_decision
from services.cli.backup.commands import backup, restore
from services.cli.backup.erasures import erasures
from services.cli.console import console
from services.cli.dead_letters import commands as dead_letters
from services.cli.nats_keys_command import nats_keys
from services.cli.people import erase, export
from services.cli.retention import retention
from services.cli.up.command import up
from services.cli.verify import verify

app = typer.Typer(
    help="Lead intake for law firms: three services around NATS JetStream, and what keeps "
    "them running.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _quietly() -> None:
    # Else an exception that a library logs would show the values of local variables.
    configure_logging("leadlog", "warning")


app.command()(up)
app.command("nats-keys")(nats_keys)
app.command()(verify)
app.command()(backup)
app.command()(restore)
app.command()(export)
app.command()(erase)
app.command()(retention)
app.command()(erasures)
app.add_typer(accounts.app, name="account")
app.add_typer(api_keys.app, name="api-key")
app.add_typer(signing_keys.app, name="signing-keys")
app.add_typer(dead_letters.app, name="dead-letters")


@app.command()
def intake() -> None:
    """Run the public side: the form and its API (settings: LEADLOG_INTAKE_…)."""
    _service("intake")


@app.command()
def leads() -> None:
    """Run the attorneys' side: the list of leads and its API (settings: LEADLOG_LEADS_…)."""
    _service("leads")


@app.command()
def notifier() -> None:
    """Run the service that sends the mails (settings: LEADLOG_NOTIFIER_…)."""
    _service("notifier")


def _service(name: str) -> None:
    # Only then: one service's command must not load the others.
    importlib.import_module(f"services.{name}.__main__").main()


@app.command("provision")
def provision_streams(
    apply: Annotated[
        bool, typer.Option("--apply", help="Also change what differs from this version.")
    ] = False,
    replicas: Annotated[int, typer.Option(help="1 for a single server, 3 in a cluster.")] = 1,
    idempotency_hours: Annotated[
        float, typer.Option(help="How long a form's Idempotency-Key is remembered.", min=0.1)
    ] = 24,
    audit_days: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=36500,
            show_default=False,
            help="Decide how long audit entries are kept; 0: for ever. Remembered; older ones go "
            "with --apply.",
        ),
    ] = None,
    data: Data = Path("var"),
) -> None:
    """Make every stream, bucket and the object store; report what differs."""
    done = broker.run(_provision(data, replicas, idempotency_hours, audit_days, apply=apply))
    for name in done.created:
        console().print(f"created  {name}")
    for name in done.changed:
        console().print(f"changed  {name}")
    if done.differences:
        table = Table("stream", "setting", "is", "this version expects")
        for one in done.differences:
            table.add_row(one.stream, one.field, one.actual, one.wanted)
        console().print(table)
        console().print("These were left as they are. The same with `--apply` changes them.")
        raise typer.Exit(1)
    if not done.created and not done.changed:
        console().print("Everything is there and as it should be.")


async def _provision(
    data: Path, replicas: int, hours: float, audit_days: int | None, *, apply: bool
) -> Provisioned:
    async with broker.jetstream(data) as js:
        if audit_days is not None and apply:
            await note_decision(js, audit_days)
        return await provision(
            js, replicas, idempotency_hours=hours, audit_days=audit_days, apply=apply
        )


@app.command()
def rebuild(data: Data = Path("var")) -> None:
    """Make the leads service's read model again from the log.

    A running service goes on serving from the old one until the new one is complete.
    """
    position = broker.run(_rebuild(data))
    console().print(f"The read model is rebuilt up to position {position}.")


async def _rebuild(data: Path) -> int:
    from services.leads.projection.lock import DatabaseInUse  # noqa: PLC0415 - as above
    from services.leads.projection.switch import SwitchRefused  # noqa: PLC0415
    from services.leads.rebuild import rebuild as build  # noqa: PLC0415
    from services.leads.settings import LeadsSettings  # noqa: PLC0415

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
    database = data / "leads.sqlite"
    async with broker.settings(LeadsSettings, data, database=database) as settings:
        async with broker.connected(settings):
            pass  # a server that is away is said at once and in words
        with bar:
            task = bar.add_task("Starting", total=None)

            def on_progress(what: str, done: int, of: int) -> None:
                bar.update(task, description=what, completed=done, total=of)

            try:
                return await build(settings, on_progress)
            except (DatabaseInUse, SwitchRefused) as error:
                raise broker.Refused(str(error)) from None


@app.command()
def asyncapi(
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Print the AsyncAPI 3 document of the events."""
    from libs.events.asyncapi import document  # noqa: PLC0415 - as above

    _print_document(document(), output)


@app.command()
def openapi(
    service: Annotated[str, typer.Argument(help="intake or leads")],
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Print the OpenAPI 3.1 document of a service."""
    if service not in {"intake", "leads"}:
        broker.give_up(f"There is no API of '{service}'; there are intake and leads.")
    importlib.import_module(f"services.{service}.app")
    where = {"intake": "services.intake.routes", "leads": "services.leads.routes.api"}
    _print_document(importlib.import_module(where[service]).api.document(), output)


def _print_document(document: object, output: Path | None) -> None:
    _print_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", output)


def _print_text(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        try:
            output.write_text(text)
        except OSError as error:
            broker.give_up(f"Cannot write {output}: {error.strerror}")


@app.command()
def settings(
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Print every setting of every service, as Markdown."""
    from services.cli.settings_page import page  # noqa: PLC0415 - as above

    _print_text(page(), output)


@app.command("mail-catcher")
def mail_catcher(
    smtp_port: Annotated[int, typer.Option(help="Where mail is taken.")] = 1025,
    http_port: Annotated[int, typer.Option(help="Where the page with the mails is.")] = 8025,
    host: Annotated[str, typer.Option(help="Leave it on loopback: there is no login.")] = (
        "127.0.0.1"
    ),
    folder: Annotated[Path, typer.Option(help="Where mails are kept.")] = Path("var/mails"),
) -> None:
    """Take every mail and show it on a page, instead of sending it."""
    from services.cli.mail_catcher import run  # noqa: PLC0415 - as above

    run(host, smtp_port, http_port, folder)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"leadlog {__version__}")


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
