"""Finding leads by pieces of text: what SQLite offers, and nothing of it elsewhere.

`leads_search` is an FTS5 index without content of its own. It keeps, for each piece of three
characters, the leads that have it. Words of one or two characters need an answer as well, so
the text is taken in twice: as it is, and with a separator around every character; there a
piece of three is one character of the text (`|a|`) or two neighbours (`a|b`).

The index proposes and the text decides: a lead may have all pieces of a word and not the word.
PostgreSQL would have `pg_trgm` here, and `strpos`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, TextualSelect, column, func, text

SEARCH_TABLE: Final = "leads_search"
CREATE_SEARCH: Final = (
    f"CREATE VIRTUAL TABLE {SEARCH_TABLE} USING fts5("
    # Folded before: the tokenizer need not. `detail=none` keeps no places within a text.
    "pieces, tokenize='trigram case_sensitive 1', content='', detail=none, columnsize=0)"
)
DROP_SEARCH: Final = f"DROP TABLE IF EXISTS {SEARCH_TABLE}"
INSERT_SEARCH: Final = f"INSERT INTO {SEARCH_TABLE} (rowid, pieces) VALUES (:position, :pieces)"  # noqa: S608 - a constant

DELETE_SEARCH: Final = (
    f"INSERT INTO {SEARCH_TABLE} ({SEARCH_TABLE}, rowid, pieces)"  # noqa: S608 - a constant
    " VALUES ('delete', :position, :pieces)"
)
"""An index without content has to be told what to forget."""
MERGE_SEARCH: Final = f"INSERT INTO {SEARCH_TABLE} ({SEARCH_TABLE}) VALUES ('optimize')"  # noqa: S608 - a constant
"""Until then what was deleted stands in it, beside a mark that it was."""


def _setting(name: str, value: int) -> str:
    return f"INSERT INTO {SEARCH_TABLE} ({SEARCH_TABLE}, rank) VALUES ('{name}', {value})"  # noqa: S608 - constants


BULK_SETTINGS: Final = (
    _setting("hashsize", 32 * 1024 * 1024),
    _setting("automerge", 0),
    _setting("crisismerge", 1000),
)
"""Statements for filling the index from nothing: collect in memory, merge nothing yet."""
BULK_DONE: Final = (
    MERGE_SEARCH,
    _setting("hashsize", 1024 * 1024),
    _setting("automerge", 4),
    _setting("crisismerge", 16),
)
"""Statements that merge it to one piece and go back to FTS5's own settings."""

_PIECE: Final = 3
_ENOUGH: Final = 5
_BETWEEN: Final = "\x1f"
"""Never in a name: control characters are refused at the edge."""


def pieces_of(search_text: str) -> str:
    """Return what the index takes in for a text."""
    return f"{search_text}\n{_BETWEEN}{_BETWEEN.join(search_text)}{_BETWEEN}"


def search_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the index's rows for rows of `leads`."""
    return [{"position": row["position"], "pieces": pieces_of(row["search_text"])} for row in rows]


def expression_of(words: Iterable[str]) -> str:
    """Return the FTS5 query for texts that have every piece of every word."""
    # Long words first: the first pieces of a query should be the rare ones.
    pieces = (piece for word in sorted(words, key=len, reverse=True) for piece in _pieces(word))
    return " AND ".join('"' + piece.replace('"', '""') + '"' for piece in dict.fromkeys(pieces))


def _pieces(word: str) -> Iterator[str]:
    if len(word) < _PIECE:
        yield f"{_BETWEEN}{word}{_BETWEEN}" if len(word) == 1 else _BETWEEN.join(word)
        return
    # Side by side and the last three: together they cover the word. The first ones of a very
    # long word are enough; of an address that spares looking for everybody's "example.com".
    starts = [*range(0, len(word) - _PIECE, _PIECE), len(word) - _PIECE]
    for start in starts[:_ENOUGH]:
        yield word[start : start + _PIECE]


def candidates(words: Iterable[str], *, limit: int = -1) -> TextualSelect:
    """Select the positions of leads that may have all words: all that do, and some more."""
    found = text(
        f"SELECT rowid AS position FROM {SEARCH_TABLE}"  # noqa: S608 - a constant
        f" WHERE {SEARCH_TABLE} MATCH :pieces LIMIT :most"
    )
    bound = found.bindparams(pieces=expression_of(words), most=limit)
    return bound.columns(column("position", Integer))


def has_word(search_text: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Tell whether a folded text has a folded word in it, character by character."""
    return func.instr(search_text, word) > 0
