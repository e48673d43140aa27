from html.parser import HTMLParser
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from libs.chassis.docs import render_docs
from tests.unit.chassis.sample import make_api, make_app


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> TestClient[Any, Any]:
    return await aiohttp_client(make_app())


async def test_the_document_is_served(client: TestClient[Any, Any]) -> None:
    response = await client.get("/openapi.json")

    assert response.content_type == "application/json"
    assert await response.json() == make_api().document()


async def test_the_page_needs_no_script_and_nothing_from_elsewhere(
    client: TestClient[Any, Any],
) -> None:
    response = await client.get("/docs")
    page = Page(await response.text())

    assert response.content_type == "text/html"
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any("style" in attrs or "onclick" in attrs for _, attrs in page.tags)
    for _, attrs in page.tags:
        for name in ("src", "href"):
            assert (attrs.get(name) or "/").startswith(("/", "#", "data:,"))


async def test_every_link_within_the_page_leads_somewhere(client: TestClient[Any, Any]) -> None:
    page = Page(await (await client.get("/docs")).text())
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]

    links = {(attrs.get("href") or "") for tag, attrs in page.tags if tag == "a"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert len(ids) == len(set(ids))
    assert "make_thing" in ids


async def test_the_style_sheet_is_served_and_kept(client: TestClient[Any, Any]) -> None:
    response = await client.get("/docs/style.css")

    assert response.content_type == "text/css"
    assert response.headers["Cache-Control"] == "public, max-age=300"


def test_text_from_the_document_is_escaped() -> None:
    page = render_docs(make_api().document())

    assert "Things &amp; &lt;names&gt;." in page
    assert "<names>" not in page


def test_operations_parameters_and_errors_are_shown() -> None:
    page = render_docs(make_api().document())

    for text in ("Make a thing", "Idempotency-Key", "string (uuid)", "at most 200", "503"):
        assert text in page
