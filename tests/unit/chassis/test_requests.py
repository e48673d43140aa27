from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from tests.unit.chassis.sample import TOKEN, make_app

ID = "0199c0de-7a1e-7000-8000-000000000001"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**AUTH, "Content-Type": "application/json"}


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> TestClient[Any, Any]:
    return await aiohttp_client(make_app())


async def fields(response: Any) -> dict[str, str]:
    document = await response.json()
    return {error["field"]: error["message"] for error in document["errors"]}


async def test_json_becomes_a_model(client: TestClient[Any, Any]) -> None:
    response = await client.post(f"/things/{ID}", json={"name": "Ünï 😀"}, headers=AUTH)

    assert response.status == 201
    assert await response.json() == {"id": ID, "name": "Ünï 😀", "fragile": False}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": "a"} x',
        b"\xff\xfe",
        b'{"name": "\\ud800"}',
        b"[" * 2000,
    ],
)
async def test_what_is_not_json_is_a_400(body: bytes, client: TestClient[Any, Any]) -> None:
    response = await client.post(f"/things/{ID}", data=body, headers=JSON)

    assert response.status == 400
    assert (await response.json())["type"] == "urn:leadlog:problem:malformed-body"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_a_415(
    content_type: str, client: TestClient[Any, Any]
) -> None:
    headers = {**AUTH, "Content-Type": content_type}
    response = await client.post(f"/things/{ID}", data=b'{"name": "a"}', headers=headers)

    assert response.status == 415
    assert (await response.json())["detail"] == "Send the body as application/json."


async def test_a_charset_parameter_does_no_harm(client: TestClient[Any, Any]) -> None:
    headers = {**AUTH, "Content-Type": "application/json; charset=utf-8"}
    response = await client.post(f"/things/{ID}", data=b'{"name": "a"}', headers=headers)

    assert response.status == 201


async def test_a_body_that_is_too_large_is_a_413(client: TestClient[Any, Any]) -> None:
    response = await client.post(f"/things/{ID}", json={"name": "a" * 3000}, headers=AUTH)

    assert response.status == 413
    assert response.content_type == "application/problem+json"


async def test_every_refused_field_is_named_and_no_value_repeated(
    client: TestClient[Any, Any],
) -> None:
    body = {"name": "Zebedee\x00", "fragile": -1, "Zorro": 1}
    response = await client.post(f"/things/{ID}", json=body, headers=AUTH)

    assert response.status == 422
    assert set(await fields(response)) == {"name", "fragile", "Zorro"}
    assert "Zebedee" not in await response.text()


async def test_a_body_of_another_shape_is_a_422_for_the_body(client: TestClient[Any, Any]) -> None:
    response = await client.post(f"/things/{ID}", json=[], headers=AUTH)

    assert response.status == 422
    assert set(await fields(response)) == {"body"}


@pytest.mark.parametrize("id_", ["x", ID + "0", "{" + ID + "}", ID.replace("-", ""), "%00"])
async def test_an_id_that_is_no_uuid_is_a_404(id_: str, client: TestClient[Any, Any]) -> None:
    response = await client.get(f"/things/{id_}/picture")

    assert response.status == 404
    assert (await response.json())["type"] == "urn:leadlog:problem:not-found"


async def test_an_unknown_query_parameter_is_named(client: TestClient[Any, Any]) -> None:
    response = await client.get("/things?limt=1&limit=1")

    assert response.status == 422
    assert await fields(response) == {"limt": "Unknown parameter"}


async def test_a_repeated_query_parameter_is_named(client: TestClient[Any, Any]) -> None:
    response = await client.get("/things?limit=1&limit=2")

    assert response.status == 422
    assert await fields(response) == {"limit": "Given more than once"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=", "limit"),
        ("text=%00", "text"),
        ("text=" + "a" * 41, "text"),
        ("since=yesterday", "since"),
    ],
)
async def test_a_bad_query_value_is_named(
    query: str, field: str, client: TestClient[Any, Any]
) -> None:
    response = await client.get(f"/things?{query}")

    assert response.status == 422
    assert set(await fields(response)) == {field}


@pytest.mark.parametrize("query", ["text=%ED%A0%80", "text=%FF", "%00=1", "%ED%A0%80=1", "&&=&"])
async def test_a_strange_query_is_no_server_error(query: str, client: TestClient[Any, Any]) -> None:
    response = await client.get(f"/things?{query}")

    assert response.status in {200, 422}


async def test_a_form_becomes_a_model(client: TestClient[Any, Any]) -> None:
    form = {"username": "ada", "password": "x", "grant_type": "password"}
    response = await client.post("/auth/token", data=form)

    assert response.status == 200


async def test_a_form_field_given_twice_is_named(client: TestClient[Any, Any]) -> None:
    form = [("username", "a"), ("username", "b"), ("password", "x")]
    response = await client.post("/auth/token", data=form)

    assert response.status == 422
    assert await fields(response) == {"username": "Given more than once"}


async def test_a_form_that_is_not_utf8_is_a_400(client: TestClient[Any, Any]) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"username=%ff&password=x", b"\xff=1"):
        response = await client.post("/auth/token", data=body, headers=headers)
        assert response.status == 400


async def test_a_form_sent_as_json_is_a_415(client: TestClient[Any, Any]) -> None:
    response = await client.post("/auth/token", json={"username": "a", "password": "b"})

    assert response.status == 415


async def test_no_token_is_a_401_that_says_how(client: TestClient[Any, Any]) -> None:
    response = await client.post(f"/things/{ID}", json={"name": "a"})

    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
