"""Structured logs: one JSON object a line on stdout, coloured text on a terminal.

Names, email addresses, tokens and the like must never reach a log. What is logged on purpose
is chosen by the caller; what is logged by accident is an exception's message (pydantic's, for
one, repeats the input), so exceptions are logged by type and position only.
"""

import logging
import sys
from typing import Any, Literal

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor, WrappedLogger

from libs.chassis.tracebacks import as_text, describe

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

# Libraries whose records can repeat what a client sent, or an exception's text, in their
# arguments: only the constant part of the record is kept.
_GUARDED = ("asyncio", "aiohttp")


def configure_logging(service: str, level: Level = "info", format: Format = "auto") -> None:  # noqa: A002 - the setting's own name
    """Send structlog's and the standard library's records to stdout, in one form.

    Args:
        service: bound to each line as ``service``.
        level: the least severe level that is written.
        format: "auto" is "console" on a terminal, else "json".
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = format == "console" or (format == "auto" and sys.stdout.isatty())
    shared = _shared(service)
    final = _final(console=console)
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_stdout_logger,
        cache_logger_on_first_use=False,  # tests capture logs of modules already imported
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_guard_foreign, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    logging.captureWarnings(capture=True)
    logging.getLogger("aiohttp.server").addFilter(_soften_bad_requests)
    # It writes addresses and query strings; the chassis has an access line of its own.
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)


def _soften_bad_requests(record: logging.LogRecord) -> bool:
    """Make one quiet line of aiohttp's report of something that is not HTTP: not our error."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args, record.exc_info = "request refused: not valid HTTP", (), None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def _stdout_logger(*_: Any) -> structlog.WriteLogger:
    return structlog.WriteLogger(sys.stdout)


def _shared(service: str) -> list[Processor]:
    def add_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _describe_exception,
    ]


def _final(*, console: bool) -> list[Processor]:
    if console:
        return [_exception_as_text, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    return [structlog.processors.JSONRenderer(ensure_ascii=True)]


def _describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by what is safe to write about it."""
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def _exception_as_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if "exception" in event:
        event["exception"] = as_text(event["exception"])
    return event


def _guard_foreign(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the standard library's logger; cut from its record what could be personal."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["logger"] = record.name
        if record.name.split(".")[0] in _GUARDED:
            event["event"] = str(record.msg).split("\n", 1)[0].replace("%s", "...")
    return event
