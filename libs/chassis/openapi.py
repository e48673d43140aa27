"""The OpenAPI 3.1 document of an API [pure].

The format is the OpenAPI Specification's, https://spec.openapis.org/oas/v3.1.1
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from libs.chassis.operations import Header, Operation, Parameter, ResponseSpec
from libs.chassis.problems import PROBLEM_JSON
from libs.chassis.request_id import HEADER
from libs.chassis.schemas import PROBLEM_SCHEMA, Schemas, inline_schema
from libs.chassis.status import phrase

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
_PROBLEM_HEADERS = {
    401: {"WWW-Authenticate": Header("The scheme to authenticate with.")},
    429: {"Retry-After": Header("Seconds to wait before the next try.", {"type": "integer"})},
    503: {"Retry-After": Header("Seconds to wait before the next try.", {"type": "integer"})},
}
_REQUEST_ID = Header("The request's id, as in the service's log; a well-formed one is kept.")


def build_document(
    info: Mapping[str, str], operations: Sequence[Operation], token_url: str | None = None
) -> dict[str, Any]:
    """Return the document.

    Args:
        info: title, version and description.
        operations: the operations, in the order they are shown.
        token_url: where the OAuth2 password flow gets its token; None for plain bearer tokens.
    """
    schemas = Schemas(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        path = _PATH_PARAMETER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(
            operation, schemas, token_url
        )
    components: dict[str, Any] = {"schemas": {**schemas.components, "Problem": PROBLEM_SCHEMA}}
    if any(operation.security for operation in operations):
        components["securitySchemes"] = _security_schemes(token_url)
    return {
        "openapi": "3.1.1",
        "jsonSchemaDialect": DIALECT,
        "info": dict(info),
        "paths": paths,
        "components": components,
    }


def _operation(operation: Operation, schemas: Schemas, token_url: str | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": list(operation.tags),
        "parameters": [*_parameters(operation, schemas)],
        "requestBody": _request_body(operation, schemas),
        "responses": _responses(operation, schemas),
        "security": [{_scheme(token_url): []}] if operation.security else [],
        **operation.extra,
    }
    return {key: value for key, value in described.items() if value}


def _parameters(operation: Operation, schemas: Schemas) -> Iterator[dict[str, Any]]:
    declared = {(p.location, p.name): p for p in operation.parameters}
    for name in _PATH_PARAMETER.findall(operation.path):
        uuid = Parameter(name, schema={"type": "string", "format": "uuid"}, location="path")
        yield _parameter(declared.pop(("path", name), uuid))
    yield from (_parameter(parameter) for parameter in declared.values())
    if operation.query is not None:
        yield from _query_parameters(schemas.query(operation.query))


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.location,
        "required": parameter.required or parameter.location == "path",
        "schema": dict(parameter.schema),
    }
    return described | ({"description": parameter.description} if parameter.description else {})


def _query_parameters(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, prop in schema.get("properties", {}).items():
        inner = inline_schema(prop)
        described = {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": inner,
        }
        text = inner.pop("description", None)
        yield described | ({"description": text} if text else {})


def _request_body(operation: Operation, schemas: Schemas) -> dict[str, Any] | None:
    content: dict[str, Any] = {}
    if operation.body is not None:
        content["application/json"] = {"schema": schemas.of(operation.body, "validation")}
    if operation.form is not None:
        form = schemas.of(operation.form, "validation")
        content["application/x-www-form-urlencoded"] = {"schema": form}
    if operation.multipart is not None:
        content["multipart/form-data"] = {"schema": dict(operation.multipart)}
    return {"required": True, "content": content} if content else None


def _responses(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    declared = operation.response_specs()
    problem = ResponseSpec({PROBLEM_JSON: {"$ref": "#/components/schemas/Problem"}})
    for status in _problem_statuses(operation):
        headers = _PROBLEM_HEADERS.get(status, {})
        declared.setdefault(status, ResponseSpec(problem.content, headers=headers))
    return {
        str(status): _response(status, declared[status], schemas) for status in sorted(declared)
    }


def _problem_statuses(operation: Operation) -> set[int]:
    statuses = set(operation.problems)
    if operation.has_body:
        statuses |= {400, 408, 413, 415, 422}
    if operation.query is not None:
        statuses.add(422)
    if _PATH_PARAMETER.search(operation.path):
        statuses.add(404)
    if operation.security:
        statuses |= {401, 403}
    return statuses


def _response(status: int, spec: ResponseSpec, schemas: Schemas) -> dict[str, Any]:
    headers = {**spec.headers, HEADER: _REQUEST_ID}
    described: dict[str, Any] = {
        "description": spec.description or phrase(status),
        "headers": {
            name: {"description": header.description, "schema": dict(header.schema)}
            for name, header in headers.items()
        },
    }
    if spec.content:
        described["content"] = {
            media_type: {} if kind is None else {"schema": schemas.of(kind, "serialization")}
            for media_type, kind in spec.content.items()
        }
    return described


def _scheme(token_url: str | None) -> str:
    return "bearer" if token_url is None else "oauth2"


def _security_schemes(token_url: str | None) -> dict[str, Any]:
    if token_url is None:
        return {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    flow = {"tokenUrl": token_url, "refreshUrl": token_url, "scopes": {}}
    return {"oauth2": {"type": "oauth2", "flows": {"password": flow}}}
