"""``leadlog retention``: for how long people are kept."""

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from nats.js import JetStreamContext

from libs.audit import OPERATOR, AuditEntry, AuditLog
from libs.chassis.buckets import Bucket
from libs.events import Part
from libs.events.jetstream import JetStreamEventStore
from services.cli import broker
from services.cli.accounts import Data
from services.cli.console import console
from services.leads.people.retention import KEY, LONGEST_DAYS, Rule, Times, due, take
from services.leads.people.rules import read_rule

_SETTINGS: Final = "SETTINGS"
Days = Annotated[
    int | None, typer.Option(min=1, max=LONGEST_DAYS, show_default=False, help="Set it: days.")
]


def retention(
    after_submission: Days = None,
    after_reached_out: Days = None,
    off: Annotated[bool, typer.Option("--off", help="Erase nobody any more.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show by id who would be erased now; the days given count, and are not set.",
        ),
    ] = False,
    data: Data = Path("var"),
) -> None:
    """Show, set or try out the rule by which leads are erased when their time has come.

    The leads service erases by it, a minute later; nothing is erased here.
    """
    given = Rule(after_submission_days=after_submission, after_reached_out_days=after_reached_out)
    if off and not given.is_off:
        broker.give_up("--off and a number of days exclude each other.")
    wanted = given if off or not given.is_off else None
    broker.run(_retention(data, wanted, dry_run=dry_run))


async def _retention(data: Path, wanted: Rule | None, *, dry_run: bool) -> None:
    async with broker.jetstream(data) as js:
        bucket = Bucket(js, _SETTINGS)
        if wanted is not None and not dry_run:
            await _audited(js, wanted)
            await bucket.put(KEY, wanted.model_dump_json().encode())
        rule = wanted if wanted is not None else await read_rule(bucket)
        _say(described(rule))
        if dry_run:
            for lead_id in await _due(js, rule):
                _say(f"would be erased  {lead_id}")


def described(rule: Rule) -> str:
    """The rule in words (pure)."""
    parts = [
        f"{days} days after {what}"
        for days, what in (
            (rule.after_submission_days, "the form was sent"),
            (rule.after_reached_out_days, "an attorney reached out"),
        )
        if days is not None
    ]
    if not parts:
        return "Nobody is erased by age."
    return f"Leads are erased {', or '.join(parts)}{': the earlier counts' if parts[1:] else ''}."


async def _due(js: JetStreamContext, rule: Rule) -> list[UUID]:
    store, leads = JetStreamEventStore(js), dict[UUID, Times]()
    end = await store.last_position()
    parts = {Part.SUBMISSION, Part.HANDLING}
    async with aclosing(store.catch_up(after=0, parts=parts)) as batches:
        async for batch in batches:
            take(leads, batch.events)
            if batch.caught_up and batch.position >= end:
                break
    return due(leads, rule, datetime.now(UTC))


async def _audited(js: JetStreamContext, rule: Rule) -> None:
    entry = AuditEntry(
        action="settings.changed",
        actor=OPERATOR,
        details={
            "setting": KEY,
            "after-submission-days": rule.after_submission_days or 0,
            "after-reached-out-days": rule.after_reached_out_days or 0,
        },
    )
    await AuditLog(js).record(entry)


def _say(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)
