"""JSON schemas of the models an API uses, collected into one set of components [pure]."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from libs.chassis.operations import Operation

_REF = "#/components/schemas/{model}"
Mode = Literal["validation", "serialization"]

# RFC 9457, with the members Leadlog adds.
PROBLEM_SCHEMA: Mapping[str, Any] = {
    "title": "Problem",
    "description": "An error, as RFC 9457 describes them.",
    "type": "object",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {
            "type": "string",
            "description": "Stable name of the kind of problem.",
            "examples": ["urn:leadlog:problem:validation"],
        },
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "instance": {
            "type": "string",
            "description": "This occurrence; ends with the request's id.",
        },
        "detail": {"type": "string", "description": "What happened, and what to do."},
        "errors": {
            "type": "array",
            "description": "The inputs that were refused.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


class Schemas:
    """The schemas of some operations.

    Attributes:
        components: the named schemas, for ``components.schemas``.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        wanted = dict.fromkeys(kind for op in operations for kind in _types_of(op))
        inputs = [(kind, mode, TypeAdapter(kind)) for kind, mode in wanted]
        self._by_type, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REF)
        self.components: dict[str, Any] = dict(definitions.get("$defs", {}))
        self._queries = {
            op.query: self._query(op.query) for op in operations if op.query is not None
        }

    def of(self, kind: Any, mode: Mode) -> dict[str, Any]:
        """Return the schema of a type, or a mapping as it is."""
        return dict(kind) if isinstance(kind, Mapping) else dict(self._by_type[kind, mode])

    def query(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return the schema of a query model, which is no component of its own."""
        return self._queries[model]

    def _query(self, model: type[BaseModel]) -> dict[str, Any]:
        schema = model.model_json_schema(ref_template=_REF)
        self.components |= schema.pop("$defs", {})
        return schema


def inline_schema(prop: Mapping[str, Any]) -> dict[str, Any]:
    """Return a property's schema as a parameter's: absence takes the place of null."""
    schema = {key: value for key, value in prop.items() if key != "title"}
    if schema.get("default", ...) is None:
        del schema["default"]
    if "anyOf" in schema:
        variants = [v for v in schema["anyOf"] if v != {"type": "null"}]
        if len(variants) == 1:
            del schema["anyOf"]
            return {**variants[0], **schema}
        schema["anyOf"] = variants
    return schema


def _types_of(operation: Operation) -> Iterator[tuple[Any, Mode]]:
    for kind in (operation.body, operation.form):
        if kind is not None:
            yield kind, "validation"
    for spec in operation.response_specs().values():
        for kind in spec.content.values():
            if kind is not None and not isinstance(kind, Mapping):
                yield kind, "serialization"
