from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import web
from pydantic import BaseModel

from libs.chassis.api import Api, Parameter
from tests.unit.chassis.sample import make_api


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return make_api().document()


def test_it_is_openapi_31_with_the_json_schema_dialect_of_2020_12(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["jsonSchemaDialect"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["info"] == {
        "title": "Sample",
        "version": "1.2",
        "description": "Things & <names>.",
    }


def test_every_schema_is_valid_json_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas) == {"Login", "NewThing", "Problem", "Thing", "Things", "Token"}
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                name = node["$ref"].removeprefix("#/components/schemas/")
                assert name in document["components"]["schemas"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_a_query_model_becomes_parameters(document: dict[str, Any]) -> None:
    limit, text, since = document["paths"]["/things"]["get"]["parameters"]

    assert limit == {
        "name": "limit",
        "in": "query",
        "required": False,
        "description": "At most this many.",
        "schema": {"type": "integer", "default": 50, "minimum": 1, "maximum": 200},
    }
    assert (text["schema"]["type"], text["schema"]["maxLength"]) == ("string", 40)
    assert since["schema"] == {"type": "string", "format": "date-time"}


def test_a_path_parameter_is_a_uuid_and_a_header_is_described(document: dict[str, Any]) -> None:
    id_, key = document["paths"]["/things/{id}"]["post"]["parameters"]

    assert id_ == {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
    assert (key["in"], key["name"], key["required"]) == ("header", "Idempotency-Key", False)


def test_the_problems_that_follow_from_an_operation_are_listed(document: dict[str, Any]) -> None:
    paths = document["paths"]

    assert list(paths["/things"]["get"]["responses"]) == ["200", "422", "503"]
    assert list(paths["/things/{id}"]["post"]["responses"]) == [
        *("201", "400", "401", "403", "404", "408", "413", "415", "422", "503")
    ]
    for status, response in paths["/things/{id}"]["post"]["responses"].items():
        if status != "201":
            assert response["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    assert "WWW-Authenticate" in paths["/things/{id}"]["post"]["responses"]["401"]["headers"]


def test_bytes_and_forms_are_described(document: dict[str, Any]) -> None:
    picture = document["paths"]["/things/{id}/picture"]["get"]["responses"]["200"]
    login = document["paths"]["/auth/token"]["post"]["requestBody"]

    assert picture["content"] == {"image/png": {}}
    assert login["content"] == {
        "application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Login"}}
    }


def test_the_password_flow_is_the_security_scheme(document: dict[str, Any]) -> None:
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]

    assert flows["password"]["tokenUrl"] == "/auth/token"
    assert document["paths"]["/things/{id}"]["post"]["security"] == [{"oauth2": []}]
    assert "security" not in document["paths"]["/things"]["get"]


def test_a_model_that_reads_and_writes_differently_is_described_both_ways() -> None:
    class Counted(BaseModel):
        count: Decimal

    api = Api("T", "1")
    api.operation("PUT", "/x", summary="x", body=Counted, responses={200: Counted})(nothing)

    schemas = api.document()["components"]["schemas"]
    assert "anyOf" in schemas["Counted-Input"]["properties"]["count"]
    assert schemas["Counted-Output"]["properties"]["count"]["type"] == "string"


def test_two_operations_of_one_name_are_refused() -> None:
    api = Api("T", "1")
    api.operation("GET", "/a", summary="x", responses={200: None})(nothing)

    with pytest.raises(ValueError, match="two operations are named 'nothing'"):
        api.operation("GET", "/b", summary="x", responses={200: None})(nothing)


def test_without_a_token_url_the_scheme_is_a_bearer_token() -> None:
    api = Api("T", "1")
    api.operation("GET", "/a", summary="x", responses={204: None}, security=True)(nothing)

    document = api.document()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "content" not in document["paths"]["/a"]["get"]["responses"]["204"]


def test_a_path_parameters_pattern_is_not_part_of_the_documents_path() -> None:
    api = Api("T", "1")
    kid = Parameter("kid", "The key's id.", {"type": "string"}, location="path")
    api.operation("GET", r"/keys/{kid:\w+}", summary="x", responses={200: None}, parameters=[kid])(
        nothing
    )

    (described,) = api.document()["paths"]["/keys/{kid}"]["get"]["parameters"]
    assert described["required"] is True
    assert described["schema"] == {"type": "string"}


async def nothing(_: web.Request) -> web.Response:
    return web.Response()
