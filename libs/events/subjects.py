"""Where an event lives: ``leads.<lead id>.<part>`` (pure).

A part is one consistency boundary with exactly one writing service. Tokens are
built from a UUID and an enumeration only: nats-server accepts and stores a publish
to a subject with ``*`` in it, so free text must never become a token.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final
from uuid import UUID

STREAM: Final = "LEADS"
STREAM_SUBJECT: Final = "leads.*.*"
_HEX: Final = "[0-9a-f]"
_UUID: Final = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"


class Part(StrEnum):
    """One lead's consistency boundaries, each with the one service that writes it."""

    SUBMISSION = "submission"
    """Written by intake."""
    HANDLING = "handling"
    """Written by leads."""
    MAIL = "mail"
    """Written by notifier."""
    RESUME = "resume"
    """Written by leads: what is known of the uploaded file."""


_NEWER: Final = re.compile(rf"leads\.{_UUID}\.[a-z][a-z-]*")
_CANONICAL: Final = re.compile(rf"leads\.({_UUID})\.({'|'.join(Part)})")


class InvalidSubject(ValueError):
    """A subject that is not ``leads.<lead id>.<part>``."""


def subject_of(lead_id: UUID, part: Part) -> str:
    """The literal subject of one part of one lead."""
    return f"leads.{lead_id}.{part.value}"


def subject_of_lead(lead_id: UUID) -> str:
    """The filter that matches one lead's whole history."""
    return f"leads.{lead_id}.*"


def filters_of(parts: Collection[Part] | None) -> list[str]:
    """Consumer filters for some parts of every lead; None means all parts."""
    if not parts:
        return [STREAM_SUBJECT]
    return [f"leads.*.{part.value}" for part in sorted(parts)]


def parse_subject(subject: str) -> tuple[UUID, Part]:
    """Take a subject apart.

    Raises:
        InvalidSubject: it is not the canonical form that ``subject_of`` makes.
    """
    found = _CANONICAL.fullmatch(subject)
    if found is None:
        raise InvalidSubject(subject)
    return UUID(found[1]), Part(found[2])


def may_be_newer(subject: str) -> bool:
    """Tell whether a subject looks like a lead's part that only a newer version knows."""
    return _NEWER.fullmatch(subject) is not None and _CANONICAL.fullmatch(subject) is None
