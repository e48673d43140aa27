"""The commands ``leadlog dead-letters list|show|redrive|discard``."""

import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from libs.events.letter_store import Letters
from libs.events.letters import Letter
from libs.events.topology import missing
from services.cli import broker
from services.cli.accounts import Data
from services.cli.console import console
from services.cli.dead_letters.redrive import Outcome, why_not
from services.cli.dead_letters.redrive import redrive as ask_and_wait
from services.cli.dead_letters.view import lines_of, summary_of, table_of, whole

app = typer.Typer(
    help="What consumers gave up: look at it, have it worked off again, throw it away.",
    no_args_is_help=True,
)
T = TypeVar("T")

Consumer = Annotated[
    str | None, typer.Option(help="Only letters of this consumer, e.g. notifier or projection.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Id = Annotated[str, typer.Argument(help="The letter's id, from the list.", show_default=False)]


@app.command("list")
def list_all(consumer: Consumer = None, as_json: Json = False, data: Data = Path("var")) -> None:
    """Show all dead letters, oldest first; without personal data."""
    found = _of(consumer, _run(data, Letters.find_all))
    if as_json:
        typer.echo(json.dumps([summary_of(letter) for letter in found], indent=2))
    elif found:
        console().print(table_of(found))
    else:
        console().print("There are no dead letters.")


@app.command()
def show(letter_id: Id, as_json: Json = False, data: Data = Path("var")) -> None:
    """Show all of a letter, names and addresses included."""
    letter = _run(data, lambda letters: _existing(letters, letter_id))
    if as_json:
        typer.echo(json.dumps(whole(letter), indent=2, ensure_ascii=False))
    else:
        _say(*lines_of(letter))


@app.command()
def redrive(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids from the list.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every letter that can be worked off again.")
    ] = False,
    consumer: Consumer = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for the outcome; 0 does not wait.", min=0)
    ] = 30,
    data: Data = Path("var"),
) -> None:
    """Send mails again that were given up.

    The notifier takes this up, now or when it runs again, and the lead's history gets the new
    outcome beside the old one. A letter goes when its mail is accepted; otherwise it stays and
    says why. Exit code 1 when one has failed again.
    """
    if everything == bool(letter_ids):
        broker.give_up("Name the letters to redrive, or --all.")
    outcomes = _run(data, lambda letters: _redrive(letters, letter_ids or [], consumer, wait))
    if not outcomes:
        _say("There is nothing to redrive.")
    for outcome in outcomes:
        _say(_in_words(outcome))
    if any(outcome.state == "failed" for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def discard(
    letter_ids: Annotated[list[str], typer.Argument(help="Ids from the list.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = Path("var"),
) -> None:
    """Erase letters for good: their bytes are overwritten. The lead's history stays."""
    for letter in _run(data, lambda letters: _all_existing(letters, letter_ids)):
        _say(f"{letter.id}: {letter.event_type or 'unreadable'}, {letter.reason}")
    if not yes:
        typer.confirm(f"Erase {len(letter_ids)} dead letters for good?", abort=True)
    _run(data, lambda letters: _discard(letters, letter_ids))
    _say(f"{len(letter_ids)} erased.")


def _of(consumer: str | None, letters: Iterable[Letter]) -> list[Letter]:
    return [letter for letter in letters if consumer in {None, letter.consumer}]


async def _redrive(
    letters: Letters, ids: list[str], consumer: str | None, wait: float
) -> list[Outcome]:
    if ids:
        chosen = await _all_existing(letters, ids)
        refused = [f"{letter.id}: {why}" for letter in chosen if (why := why_not(letter))]
        if refused:
            raise broker.Refused("\n".join(refused) + ". Nothing was redriven.")
    else:
        found = _of(consumer, await letters.find_all())
        chosen = [letter for letter in found if why_not(letter) is None]
        if rest := len(found) - len(chosen):
            _say(f"{rest} letters cannot be redriven; naming one tells why.")
    return await ask_and_wait(letters, [letter.id for letter in chosen], wait)


async def _discard(letters: Letters, ids: list[str]) -> None:
    for letter_id in ids:
        await letters.discard(letter_id)


async def _all_existing(letters: Letters, ids: list[str]) -> list[Letter]:
    return [await _existing(letters, letter_id) for letter_id in ids]


async def _existing(letters: Letters, letter_id: str) -> Letter:
    try:
        letter = await letters.get(letter_id)
    except ValueError:
        letter = None
    if letter is None:
        raise broker.Refused(
            f"There is no dead letter '{letter_id}'. `leadlog dead-letters list` shows the ids."
        )
    return letter


def _in_words(outcome: Outcome) -> str:
    match outcome.state:
        case "done":
            return f"{outcome.letter}: done, the letter is gone"
        case "failed":
            return f"{outcome.letter}: failed again: {outcome.reason}"
        case "waits":
            return (
                f"{outcome.letter}: is asked for and not done yet; the notifier does it when it "
                "runs and the mail server takes the mail"
            )


def _say(*lines: str) -> None:
    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)


def _run(data: Path, work: Callable[[Letters], Awaitable[T]]) -> T:
    return broker.run(_on_letters(data, work))


async def _on_letters(data: Path, work: Callable[[Letters], Awaitable[T]]) -> T:
    async with broker.jetstream(data) as js:
        if "DEAD_LETTERS" in await missing(js):
            raise broker.Refused("This server has no DEAD_LETTERS. Run `leadlog provision`.")
        return await work(Letters(js))
