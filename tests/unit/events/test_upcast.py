from typing import Any, ClassVar

import pytest

from libs.events import EVENT_TYPES, Event, Part, UnknownEvent
from libs.events.upcast import UPCASTERS, MissingUpcaster, Upcaster, read_event


class Renamed(Event):
    type: ClassVar[str] = "Renamed"
    version: ClassVar[int] = 3
    part: ClassVar[Part] = Part.HANDLING
    full_name: str
    shouted: bool


def from_1(data: dict[str, Any]) -> dict[str, Any]:
    return {"full_name": data["name"]}


def from_2(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "shouted": data["full_name"].isupper()}


TYPES: dict[str, type[Event]] = {"Renamed": Renamed}
STEPS: dict[tuple[str, int], Upcaster] = {("Renamed", 1): from_1, ("Renamed", 2): from_2}


def read(version: int, payload: bytes) -> Event:
    return read_event("Renamed", version, payload, types=TYPES, upcasters=STEPS)


def test_each_older_version_is_lifted_step_by_step() -> None:
    wanted = Renamed(full_name="ADA", shouted=True)
    assert read(1, b'{"name": "ADA"}') == wanted
    assert read(2, b'{"full_name": "ADA"}') == wanted
    assert read(3, b'{"full_name": "ADA", "shouted": true}') == wanted


def test_a_field_of_a_later_version_is_ignored() -> None:
    assert read(3, b'{"full_name": "A", "shouted": false, "more": 1}') == Renamed(
        full_name="A", shouted=False
    )


def test_a_newer_version_is_unknown() -> None:
    with pytest.raises(UnknownEvent):
        read(4, b"{}")


def test_a_missing_step_is_named() -> None:
    with pytest.raises(MissingUpcaster, match="Renamed version 1"):
        read_event("Renamed", 1, b"{}", types=TYPES, upcasters={})


def test_every_shipped_type_can_be_read_from_each_of_its_versions() -> None:
    needed = {
        (name, version)
        for name, model in EVENT_TYPES.items()
        for version in range(1, model.version)
    }
    assert set(UPCASTERS) == needed
