from typing import Any

import pytest

from libs.chassis.schema_text import constraints, example, type_text


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string", "format": "uuid"}, "string (uuid)"),
        ({"$ref": "#/components/schemas/Lead"}, "Lead"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Lead"}}, "list of Lead"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"enum": ["A", "B"], "type": "string"}, "one of A, B"),
        ({"const": "x"}, '"x"'),
        ({"type": ["string", "null"]}, "string or null"),
        ({}, "anything"),
    ],
)
def test_a_type_in_words(schema: dict[str, Any], text: str) -> None:
    assert type_text(schema) == text


def test_limits_in_words() -> None:
    assert constraints({"minLength": 1, "maxLength": 9}) == (
        "at least 1 characters, at most 9 characters"
    )
    assert constraints({"anyOf": [{"maximum": 3}, {"type": "null"}], "default": True}) == (
        "default true, at most 3"
    )
    assert constraints({"default": None}) == ""


def test_an_example_has_a_value_for_each_field() -> None:
    schemas = {
        "Lead": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "status": {"enum": ["PENDING", "REACHED_OUT"]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "size": {"type": "integer", "minimum": 3},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "examples": ["hi"]},
                "open": {"type": "boolean"},
            },
        }
    }

    assert example({"$ref": "#/components/schemas/Lead"}, schemas) == {
        "id": "0199c0de-7a1e-7000-8000-000000000001",
        "status": "PENDING",
        "tags": ["text"],
        "size": 3,
        "note": "hi",
        "open": True,
    }


def test_an_example_of_a_schema_that_contains_itself_ends() -> None:
    ref = {"$ref": "#/components/schemas/Tree"}
    schemas = {"Tree": {"type": "object", "properties": {"leaf": {"type": "null"}, "child": ref}}}

    assert str(example(ref, schemas)).count("leaf") == 6
