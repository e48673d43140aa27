"""Which processes ``leadlog up`` runs, with which environment (pure but for ``os.environ``)."""

import os
import sys
from dataclasses import dataclass
from typing import Final

from services.cli.nats_server import NatsServer, find_binary
from services.cli.up.child import Child, Say
from services.cli.up.data import DataFolder
from services.cli.up.ports import Ports

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for.

    Attributes:
        data: the data folder.
        ports: where everything listens.
        account_email: of the first account, and who gets the attorneys' mails.
        verbose: show every log on the terminal.
        lock: the descriptor of the data folder's lock, which every child holds too.
    """

    data: DataFolder
    ports: Ports
    account_email: str
    verbose: bool
    lock: int | None = None

    @property
    def inherits(self) -> tuple[int, ...]:
        """What children keep open."""
        return () if self.lock is None else (self.lock,)


def urls(ports: Ports) -> dict[str, str]:
    """Where everything is."""
    return {
        "form": f"http://{HOST}:{ports.intake}",
        "inbox": f"http://{HOST}:{ports.leads}",
        "notifier": f"http://{HOST}:{ports.notifier}",
        "mails": f"http://{HOST}:{ports.mail}",
        "nats": f"nats://{HOST}:{ports.nats}",
        "nats_monitor": f"http://{HOST}:{ports.nats_http}",
        "intake_metrics": f"http://{HOST}:{ports.intake_metrics}/metrics",
        "leads_metrics": f"http://{HOST}:{ports.leads_metrics}/metrics",
        "notifier_metrics": f"http://{HOST}:{ports.notifier_metrics}/metrics",
    }


def nats_server(options: Options) -> NatsServer:
    """The embedded nats-server, on the data folder."""
    return NatsServer(
        store=options.data.jetstream.absolute(),
        port=options.ports.nats,
        http_port=options.ports.nats_http,
        seeds=options.data.seeds(),
    )


def nats_child(options: Options, server: NatsServer, say: Say) -> Child:
    """The nats-server as a child."""
    return Child(
        name="nats-server",
        command=[str(find_binary()), "--config", str(server.config)],
        environment={**os.environ, **server.environment()},
        log_path=options.data.logs / "nats-server.log",
        ready_url=f"{server.http_url}/healthz",
        say=say,
        echo=options.verbose,
        inherits=options.inherits,
    )


def mail_child(options: Options, say: Say) -> Child:
    """The mail catcher as a child."""
    ports = options.ports
    command = [sys.executable, "-m", "services.cli.mail_catcher", "--host", HOST]
    command += ["--smtp-port", str(ports.smtp), "--http-port", str(ports.mail)]
    command += ["--folder", str(options.data.mails)]
    return Child(
        name="mail-catcher",
        command=command,
        environment=dict(os.environ),
        log_path=options.data.logs / "mail-catcher.log",
        ready_url=f"http://{HOST}:{ports.mail}/healthz",
        say=say,
        echo=options.verbose,
        inherits=options.inherits,
    )


def service_children(options: Options, server: NatsServer, say: Say) -> list[Child]:
    """The three services, each a process of its own, in the order in which they stop."""
    ports = options.ports
    http = {"intake": ports.intake, "leads": ports.leads, "notifier": ports.notifier}
    return [
        Child(
            name=name,
            command=[sys.executable, "-m", f"services.{name}"],
            environment=service_environment(name, options, server, dict(os.environ)),
            log_path=options.data.logs / f"{name}.log",
            ready_url=f"http://{HOST}:{port}/readyz",
            say=say,
            echo=options.verbose,
            inherits=options.inherits,
        )
        for name, port in http.items()
    ]


def service_environment(
    service: str, options: Options, server: NatsServer, environ: dict[str, str]
) -> dict[str, str]:
    """Settings of a service: ours where they must be, the person's where they may be."""
    ports = options.ports
    # A person may send real mail from here by naming a mail server.
    defaults = {
        "LEADLOG_LOG_FORMAT": "json",
        # Mailed links lead there; passkeys work at "localhost" and at no bare address.
        "LEADLOG_LEADS_PUBLIC_URL": f"http://localhost:{ports.leads}",
        "LEADLOG_NOTIFIER_MAIL_FROM": "intake@example.com",
        "LEADLOG_NOTIFIER_ATTORNEY_EMAILS": options.account_email,
    }
    if "LEADLOG_NOTIFIER_SMTP_HOST" not in environ:
        defaults |= {
            "LEADLOG_NOTIFIER_SMTP_HOST": HOST,
            "LEADLOG_NOTIFIER_SMTP_PORT": str(ports.smtp),
            "LEADLOG_NOTIFIER_SMTP_TLS": "none",
        }
    fixed = {
        "LEADLOG_NATS_URL": server.url,
        "LEADLOG_NATS_MONITOR_URL": server.http_url,
        "LEADLOG_NATS_NKEY_SEED": server.seeds[service],
        "LEADLOG_INTAKE_HTTP_PORT": str(ports.intake),
        "LEADLOG_INTAKE_METRICS_PORT": str(ports.intake_metrics),
        "LEADLOG_LEADS_HTTP_PORT": str(ports.leads),
        "LEADLOG_LEADS_METRICS_PORT": str(ports.leads_metrics),
        "LEADLOG_LEADS_DATABASE": str(options.data.database),
        "LEADLOG_NOTIFIER_HTTP_PORT": str(ports.notifier),
        "LEADLOG_NOTIFIER_METRICS_PORT": str(ports.notifier_metrics),
    }
    return {**defaults, **_kept(environ, fixed), **fixed}


def _kept(environ: dict[str, str], fixed: dict[str, str]) -> dict[str, str]:
    """The person's environment without what would name another NATS, or another port."""
    return {
        name: value
        for name, value in environ.items()
        if name.removesuffix("_FILE") not in fixed and "_NATS_" not in name
    }
