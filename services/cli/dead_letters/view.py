"""Dead letters in words (pure)."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table

from libs.events import Undecodable, UnknownEvent
from libs.events.letters import Letter


def table_of(letters: Iterable[Letter]) -> Table:
    """One row for each; without personal data."""
    table = Table(show_lines=True)
    # Ids are there to be copied: never broken, also on a terminal of 80 columns.
    table.add_column("letter, given up by", no_wrap=True)
    table.add_column("why, most recently", overflow="fold")
    for letter in letters:
        table.add_row(
            f"{letter.id}\n{_about(letter)}\n{letter.consumer}, {letter.at:%Y-%m-%d %H:%M} UTC",
            letter.reason,
        )
    return table


def _about(letter: Letter) -> str:
    event = letter.event_type or "unreadable"
    return f"{event} of {letter.lead_id}" if letter.lead_id else event


def summary_of(letter: Letter) -> dict[str, Any]:
    """A letter without what it holds, for programs."""
    return {
        "id": letter.id,
        "consumer": letter.consumer,
        "at": letter.at.isoformat(),
        "redriven_at": letter.redriven_at.isoformat() if letter.redriven_at else None,
        "event_type": letter.event_type,
        "lead_id": str(letter.lead_id) if letter.lead_id else None,
        "position": letter.sequence,
        "reason": letter.reason,
    }


def whole(letter: Letter) -> dict[str, Any]:
    """All of a letter, personal data included."""
    return {
        **summary_of(letter),
        "subject": letter.subject,
        "headers": letter.headers,
        "readable": _readable(letter),
        "data": _data(letter.data),
    }


def lines_of(letter: Letter) -> Iterator[str]:
    """All of a letter for a person, personal data included."""
    for name, value in whole(letter).items():
        if isinstance(value, dict):
            yield f"{name}:"
            yield from (f"  {line}" for line in _indented(value).splitlines())
        else:
            yield f"{name}: {'-' if value is None else value}"


def _readable(letter: Letter) -> str:
    try:
        letter.event()
    except (UnknownEvent, Undecodable) as error:
        return f"no: {error}"
    return "yes"


def _data(data: bytes) -> Any:
    """The payload as JSON, or as text, or as hex digits."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex()
    try:
        return json.loads(text)
    except ValueError:
        return text


def _indented(value: dict[str, Any]) -> str:
    return "\n".join(
        f"{name}: {json.dumps(item, ensure_ascii=False) if isinstance(item, dict) else item}"
        for name, item in value.items()
    )
