"""Asking for redrives, and what comes of them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal

from libs.events.letter_store import Letters
from libs.events.letters import Letter

REDRIVABLE: Final = "notifier"
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has come of a redrive; ``reason`` says why it has failed."""

    letter: str
    state: Literal["done", "failed", "waits"]
    reason: str = ""


def why_not(letter: Letter) -> str | None:
    """Why a letter cannot be redriven, in words, or None (pure)."""
    if letter.consumer == REDRIVABLE:
        return None
    if letter.consumer == "projection":
        return (
            "the read model has passed over this event, and would again: it cannot be read. "
            "After an upgrade that can read it, run `leadlog rebuild`, then discard the letter"
        )
    return f"only letters of the {REDRIVABLE} can be worked off again"


async def redrive(letters: Letters, ids: Iterable[str], wait_seconds: float) -> list[Outcome]:
    """Ask for redrives, and wait for a while until they are done with.

    Raises:
        StoreUnavailable: JetStream does not answer; what was asked for stays asked for.
    """
    asked = list(ids)
    for letter_id in asked:
        await letters.ask(letter_id)
    end = monotonic() + wait_seconds
    return [await _outcome(letters, letter_id, end) for letter_id in asked]


async def _outcome(letters: Letters, letter_id: str, end: float) -> Outcome:
    while await letters.is_asked(letter_id):
        if monotonic() > end:
            return Outcome(letter_id, "waits")
        await asyncio.sleep(_POLL_SECONDS)
    letter = await letters.get(letter_id)
    return Outcome(letter_id, "done") if letter is None else _failed(letter)


def _failed(letter: Letter) -> Outcome:
    return Outcome(letter.id, "failed", letter.reason)
