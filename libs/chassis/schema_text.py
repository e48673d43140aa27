"""A JSON schema in words, and an example of it [pure]; for the docs page."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "default": "default {}",
}
_EXAMPLES: Mapping[str, Any] = {
    "uuid": "0199c0de-7a1e-7000-8000-000000000001",
    "date-time": "2026-01-31T09:30:00Z",
    "date": "2026-01-31",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "binary": "(bytes)",
}
_DEPTH = 6


def type_text(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in a few words: ``string (uuid)``, ``list of Lead``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(type_text(part) for part in schema[key]))
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    return _simple(schema)


def constraints(schema: Mapping[str, Any]) -> str:
    """Return a schema's limits as a phrase, empty when it has none.

    A pattern is left to the document for programs: as a rule it only keeps out control
    characters, and says nothing to a reader.
    """
    return ", ".join(_limits(schema))


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = _DEPTH) -> Any:
    """Return a value the schema could have.

    Args:
        schema: the schema.
        schemas: the components its references point to.
        depth: how deep to go; a schema may contain itself.
    """
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(schemas[name], schemas, depth - 1) if depth else {}
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(schema[key][0], schemas, depth)
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    return _example_of_type(schema, schemas, depth)


def _simple(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {type_text(schema.get('items', {}))}"
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("anyOf", ())):
        for key, text in _LIMITS.items():
            if part.get(key) is not None:
                yield text.format(json.dumps(part[key], ensure_ascii=False))


def _example_of_type(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: example(prop, schemas, depth) for name, prop in properties.items()}
        case "array":
            return [example(schema.get("items", {}), schemas, depth - 1)] if depth else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _EXAMPLES.get(schema.get("format", ""), "text")
