"""``leadlog verify``: read the whole log and every resume, and name what is not as written."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from nats.js import JetStreamContext
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from libs.chassis.jetstream import StoredMessage, get_batch
from libs.events import STREAM
from libs.events.jetstream import JetStreamEventStore
from libs.events.model import LeadErased, ResumeRef
from libs.events.subjects import filters_of, parse_subject
from libs.events.verify import Erased, Finding, LogCheck, note_erased, readable, resume_fault
from libs.resumes import JetStreamResumeStore, ResumeDamaged, ResumeMissing
from libs.resumes.jetstream import BUCKET
from services.cli import broker
from services.cli.accounts import Data
from services.cli.console import console
from services.cli.verify_audit import AuditReport, examine_audit

_PAGE: Final = 500
_SHOWN: Final = 100
_TRIES: Final = 3
OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """What a verification found."""

    events: int = 0
    leads: int = 0
    resumes: int = 0
    last: int = 0
    digest: str = ""
    erased: int = 0
    unfinished: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(
    data: Data = Path("var"),
    resumes: Annotated[
        bool, typer.Option("--resumes/--no-resumes", help="Also read every resume.")
    ] = True,
) -> None:
    """Check the hash chains of the log and of the audit trail, and every resume's SHA-256.

    The exit code is 1 if anything is off.

    It reads everything and changes nothing; everything else may go on meanwhile.
    """
    report, audit = broker.run(_verify(data, resumes=resumes))
    for finding in report.findings[:_SHOWN]:
        lead = f" of lead {finding.lead_id}" if finding.lead_id else ""
        console().print(
            f"The event at position {finding.position}{lead} {finding.text}.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if len(report.findings) > _SHOWN:
        console().print(f"… and {len(report.findings) - _SHOWN} more.")
    console().print(
        f"{report.events} events of {report.leads} leads and {report.resumes} resumes read; "
        f"{_verdict(report)}.",
        highlight=False,
    )
    if report.erased or report.unfinished:
        console().print(_of_erasures(report), highlight=False, soft_wrap=True)
    console().print(f"Log up to position {report.last}: {report.digest}", highlight=False)
    _show_audit(audit)
    if report.findings or audit.findings:
        raise typer.Exit(1)


def _show_audit(report: AuditReport) -> None:
    for finding in report.findings[:_SHOWN]:
        console().print(
            f"The audit entry at position {finding.position} {finding.text}.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    wrong = len(report.findings)
    verdict = f"{wrong} findings" if wrong else "all of it is as it was written"
    older = f", the oldest of them at position {report.first}" if report.first > 1 else ""
    console().print(f"{report.entries} audit entries read{older}; {verdict}.", highlight=False)
    console().print(f"Audit trail up to position {report.last}: {report.digest}", highlight=False)


def _verdict(report: Report) -> str:
    wrong = len(report.findings)
    return f"{wrong} findings" if wrong else "all of it is as it was written"


def _of_erasures(report: Report) -> str:
    text = f"{report.erased} events were erased, as the log itself says (LeadErased)."
    if report.unfinished:
        text += (
            f" {report.unfinished} more are still there: an erasure is at work or was cut short; "
            "`leadlog erase --unfinished` finishes it."
        )
    return text


async def _verify(data: Path, *, resumes: bool) -> tuple[Report, AuditReport]:
    async with broker.jetstream(data) as js:
        columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console()) as bar:
            task = bar.add_task("verify", total=None)

            def on_progress(position: int, last: int) -> None:
                bar.update(task, completed=position, total=last)

            report = await examine(js, on_progress, resumes=resumes)
        return report, await examine_audit(js)


async def examine(
    js: JetStreamContext,
    on_progress: OnProgress = lambda _position, _last: None,
    *,
    resumes: bool = True,
) -> Report:
    """Read everything up to the position that the log has now.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    for _ in range(_TRIES):
        erased = await _erased(js)
        report = await _examine(js, erased, on_progress, resumes=resumes)
        # What was erased meanwhile looks like damage to whoever did not know of it.
        if not report.findings or await _erased(js) == erased:
            break
    return report


async def _erased(js: JetStreamContext) -> Erased:
    """What the log says was erased."""
    found: Erased = {}
    last = await JetStreamEventStore(js).last_position()
    async for message in _messages(js, last, filters_of([LeadErased.part])[0]):
        note_erased(found, *_parts(message))
    return found


async def _examine(
    js: JetStreamContext, erased: Erased, on_progress: OnProgress, *, resumes: bool
) -> Report:
    last = await JetStreamEventStore(js).last_position()
    store = JetStreamResumeStore(js) if resumes else None
    check, report = LogCheck(erased), Report(last=last)
    async for message in _messages(js, last):
        report.findings += check.take(*_parts(message))
        resume, finding = readable(*_parts(message))
        report.findings += [finding] if finding else []
        if resume is not None and store is not None and message.sequence not in erased:
            report.resumes += 1
            report.findings += await _resume(store, message, resume)
        on_progress(message.sequence, last)
    report.findings += check.end(last)
    if not last and await _holds_resumes(js):
        report.findings.append(Finding(0, None, "is missing: there are resumes and no log at all"))
    report.events, report.leads, report.digest = check.events, check.leads, check.digest
    report.erased, report.unfinished = check.erased_events, check.unfinished
    return report


async def _holds_resumes(js: JetStreamContext) -> bool:
    return (await js.stream_info(f"OBJ_{BUCKET}")).state.messages > 0


async def _messages(
    js: JetStreamContext, last: int, subject_filter: str = ">"
) -> AsyncIterator[StoredMessage]:
    first = 1
    while first <= last:
        page = await get_batch(
            js._nc,  # noqa: SLF001 - nats-py has no public way from a context
            STREAM,
            subject_filter,
            first=first,
            batch=_PAGE,
            pages=1,
        )
        if not page:
            return
        for message in page:
            if message.sequence <= last:
                yield message
        first = page[-1].sequence + 1


def _parts(message: StoredMessage) -> tuple[int, str, dict[str, str], bytes]:
    return message.sequence, message.subject, message.headers, message.data


async def _resume(
    store: JetStreamResumeStore, message: StoredMessage, resume: ResumeRef
) -> Iterator[Finding]:
    try:
        fault = await resume_fault(store.read(resume.object), resume)
    except ResumeMissing:
        fault = "its resume is missing"
    except ResumeDamaged:
        fault = "its resume is damaged"
    lead_id, _ = parse_subject(message.subject)
    return iter([Finding(message.sequence, lead_id, f"is not whole: {fault}")] if fault else [])
