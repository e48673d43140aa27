"""Reading events that an older version wrote (pure).

An upcaster turns the data of one version of a type into the data of the next. The log
is never rewritten: an old event is lifted, step by step, each time it is read.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from libs.events.model import EVENT_TYPES, Event

Data = dict[str, Any]
Upcaster = Callable[[Data], Data]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(type, from version) -> a function that makes the data of version + 1."""


class UnknownEvent(Exception):
    """A type or a version that this program does not know: newer than itself, probably."""


class MissingUpcaster(Exception):
    """A version this program should be able to lift and cannot: a programming error."""


def read_event(
    event_type: str,
    version: int,
    payload: bytes,
    *,
    types: Mapping[str, type[Event]] = EVENT_TYPES,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> Event:
    """Make the current model of an event from what was stored.

    Raises:
        UnknownEvent: the type is unknown, or its version is newer than this program.
        MissingUpcaster: no way up from that version is registered.
        ValueError: the data is not JSON or does not fit (pydantic's error is one).
    """
    model = types.get(event_type)
    if model is None or version > model.version:
        raise UnknownEvent(f"{event_type} version {version}")
    if version == model.version:
        return model.model_validate_json(payload)
    data: Data = json.loads(payload)
    for step in range(version, model.version):
        upcaster = upcasters.get((event_type, step))
        if upcaster is None:
            raise MissingUpcaster(f"{event_type} version {step}")
        data = upcaster(data)
    return model.model_validate(data)
