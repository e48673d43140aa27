"""What may be written about an exception [pure]: its type and where it came from."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MAX_FRAMES = 30
_MAX_CAUSES = 5
_ROOT = Path(__file__).resolve().parents[2]


def describe(error: BaseException) -> dict[str, Any]:
    """Return type, frames and causes of an exception: no local variables and no message.

    A message is kept only where it is known to hold no personal data: the operating system's
    own text, and what the NATS client says.
    """
    description: dict[str, Any] = {"type": type_name(error)}
    if (message := safe_message(error)) is not None:
        description["message"] = message
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    description["frames"] = [f"{_short(f.filename)}:{f.lineno} {f.name}" for f in frames]
    if causes := _causes(error):
        description["causes"] = causes
    return description


def as_text(description: Mapping[str, Any]) -> str:
    """Return a description for people, the innermost frame last, then the causes."""
    message = description.get("message")
    head = description["type"] + (f": {message}" if message else "")
    lines = [head, *(f"  at {frame}" for frame in description["frames"])]
    lines += [f"caused by {as_text(cause)}" for cause in description.get("causes", ())]
    return "\n".join(lines)


def type_name(error: BaseException) -> str:
    """Return an exception's type as ``module.Name``, a builtin's as ``Name``."""
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def safe_message(error: BaseException) -> str | None:
    """Return the part of an exception's text that cannot be about a person, if there is one."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if type(error).__module__.startswith("nats."):
        return str(error) or None
    return None


def _causes(error: BaseException) -> list[dict[str, Any]]:
    causes: list[dict[str, Any]] = []
    if isinstance(error, BaseExceptionGroup):
        return [describe(inner) for inner in error.exceptions[:_MAX_CAUSES]]
    cause = _cause(error)
    while cause is not None and len(causes) < _MAX_CAUSES:
        frames = traceback.extract_tb(cause.__traceback__)[-3:]
        where = [f"{_short(f.filename)}:{f.lineno} {f.name}" for f in frames]
        causes.append({"type": type_name(cause), "frames": where})
        cause = _cause(cause)
    return causes


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def _short(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(_ROOT) and "site-packages" not in filename:
        return str(path.relative_to(_ROOT))
    return filename.rpartition("site-packages/")[2]
