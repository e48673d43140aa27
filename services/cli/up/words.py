"""What ``leadlog up`` says once everything runs."""

from shlex import quote

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli.up import plan
from services.cli.up.plan import Options


def welcome(options: Options, password: str | None) -> RenderableType:
    """The URLs, how to sign in, and what to try."""
    return Group(
        Panel(_places(options), title="Leadlog is running", title_align="left", expand=False),
        _account(options, password),
        _first_steps(options, password or "PASSWORD"),
        Text("Ctrl-C stops everything; your leads are kept.\n", style="bold"),
    )


def _places(options: Options) -> Table:
    urls = plan.urls(options.ports)
    table = Table.grid(padding=(0, 3))
    for what, where in (
        ("The form a prospect fills in", urls["form"]),
        ("The mails that were sent", urls["mails"]),
        ("The attorneys' API, explained", f"{urls['inbox']}/docs"),
        ("The form's API, explained", f"{urls['form']}/docs"),
        ("Metrics of intake", urls["intake_metrics"]),
        ("Metrics of leads", urls["leads_metrics"]),
        ("Metrics of notifier", urls["notifier_metrics"]),
        ("Data", str(options.data.path.absolute())),
        ("Logs", str(options.data.logs.absolute())),
    ):
        table.add_row(Text(what), Text(where, style="cyan", overflow="fold"))
    return table


def _account(options: Options, password: str | None) -> Text:
    text = Text("\n")
    if password is None:
        text.append("Sign in with an account you have. A new password for one:\n")
        text.append("  leadlog account set-password EMAIL\n", style="cyan")
        return text
    text.append("Your first account (this password is shown only now):\n")
    text.append(f"  Email     {options.account_email}\n", style="bold")
    text.append(f"  Password  {password}\n", style="bold")
    return text


def _first_steps(options: Options, password: str) -> Text:
    leads = plan.urls(options.ports)["inbox"]
    text = Text("\nTry it: send the form with a PDF, look at the mails, then list the leads:\n")
    text.append(
        f"  TOKEN=$(curl -s {leads}/auth/token -d grant_type=password \\\n"
        f"    --data-urlencode {quote(f'username={options.account_email}')} \\\n"
        f"    --data-urlencode {quote(f'password={password}')} \\\n"
        "    | python3 -c \"import json,sys; print(json.load(sys.stdin)['access_token'])\")\n"
        f'  curl -s -H "Authorization: Bearer $TOKEN" {leads}/leads\n',
        style="cyan",
    )
    return text
