"""Opaque page cursors: the last row's place in the order, bound to the query it came from."""

import binascii
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

_FINGERPRINT_BYTES = 9
_LARGEST = 2**63 - 1
"""Of the integers that a database takes."""


class BadCursor(ValueError):
    """The cursor is damaged, or belongs to a query with another filter or sort."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a sorted list.

    Attributes:
        value: The sort key of the last row handed out.
        position: That row's position in the log, which breaks ties.
    """

    value: str | int
    position: int


def fingerprint(query: dict[str, Any]) -> str:
    """Name a query: equal filters and sort give equal names."""
    canonical = json.dumps(query, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(canonical).digest()[:_FINGERPRINT_BYTES]
    return urlsafe_b64encode(digest).decode()


def encode(cursor: Cursor, query: str) -> str:
    """Write the cursor, for the query with this fingerprint, as URL-safe text."""
    body = json.dumps([query, cursor.value, cursor.position], separators=(",", ":"))
    return urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode(text: str, query: str, value_type: type[str | int]) -> Cursor:
    """Read a cursor back.

    Raises:
        BadCursor: It was not made by `encode` for this query.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        belongs_to, value, position = json.loads(urlsafe_b64decode(padded))
        str(value).encode()  # a lone surrogate can be no part of a query
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursor("is not a cursor of this API; leave it out to start over") from error
    if belongs_to != query:
        raise BadCursor("belongs to another filter or sort; leave it out to start over")
    fits = all(abs(number) <= _LARGEST for number in (value, position) if type(number) is int)
    if type(value) is not value_type or type(position) is not int or not fits:
        raise BadCursor("is not a cursor of this API; leave it out to start over")
    return Cursor(value, position)
