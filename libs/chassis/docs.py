"""The API's docs page: plain HTML made at start; no script, nothing from elsewhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from libs.chassis.problems import PROBLEM_JSON
from libs.chassis.schema_text import constraints, example, type_text

_TEMPLATES = Path(__file__).parent / "templates"
_METHODS = ("get", "post", "put", "patch", "delete")


def add_docs_page(app: web.Application, document: Mapping[str, Any]) -> None:
    """Add ``GET /docs`` and the style sheet it uses."""
    page = render_docs(document)
    style = (_TEMPLATES / "docs.css").read_bytes()

    async def docs(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", charset="utf-8")

    async def stylesheet(_: web.Request) -> web.Response:
        return web.Response(
            body=style,
            content_type="text/css",
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=300"},
        )

    app.router.add_get("/docs", docs)
    app.router.add_get("/docs/style.css", stylesheet)


def render_docs(document: Mapping[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(type_text=type_text, constraints=constraints)
    schemas = document["components"]["schemas"]
    environment.filters["example"] = lambda schema: json.dumps(
        example(schema, schemas), indent=2, ensure_ascii=False
    )
    environment.tests["problem"] = _is_problem
    environment.filters["properties"] = lambda schema: _properties(schema, schemas)
    return environment.get_template("docs.html").render(
        info=document["info"], groups=_groups(document), schemas=schemas
    )


def _groups(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the operations by their first tag, in the order of declaration."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                entry = {"method": method.upper(), "path": path, **item[method]}
                groups.setdefault((entry.get("tags") or ["Operations"])[0], []).append(entry)
    return groups


def _properties(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a schema's table: name, schema, whether required."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    return [
        {"name": name, "schema": prop, "required": name in required}
        for name, prop in schema.get("properties", {}).items()
    ]


def _is_problem(response: Mapping[str, Any]) -> bool:
    return PROBLEM_JSON in response.get("content", {})
