import json
from pathlib import Path
from typing import Any

from libs.events import EVENT_TYPES, Part
from libs.events.asyncapi import document


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    if isinstance(node, list):
        return [ref for value in node for ref in references(value)]
    return []


def resolve(whole: dict[str, Any], reference: str) -> Any:
    node: Any = whole
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_every_event_is_described_on_the_channel_of_its_part() -> None:
    channels = document()["channels"]
    for name, model in EVENT_TYPES.items():
        assert name in channels[model.part.value]["messages"]
    assert set(channels) == {part.value for part in Part}


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    found = references(whole)
    assert len(found) > len(EVENT_TYPES)
    for reference in found:
        assert resolve(whole, reference) is not None


def test_the_document_in_docs_is_the_one_the_models_make() -> None:
    kept = Path(__file__).parents[3] / "docs" / "asyncapi.json"
    assert json.loads(kept.read_text()) == document(), (
        "docs/asyncapi.json is out of date: run `leadlog asyncapi --output docs/asyncapi.json`"
    )
