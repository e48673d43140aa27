"""Other origins, content negotiation, settings, and the description of the API."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from services.intake.fields import TEXT_FIELDS
from services.intake.negotiation import prefers_html
from services.intake.settings import IntakeSettings
from tests.unit.intake.conftest import Site
from tests.unit.intake.forms import whole

MakeSite = Callable[..., Awaitable[Site]]
FIRM = "https://www.example.com"


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    return await make_site(allowed_origins=[FIRM, "http://localhost:3000"])


async def test_an_allowed_origin_may_read_the_answer(site: Site) -> None:
    for body in (None, whole(email="x")):
        answer = await site.submit(body, Origin=FIRM)
        assert answer.headers["Access-Control-Allow-Origin"] == FIRM
        assert "Leadlog-Position" in answer.headers["Access-Control-Expose-Headers"]
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.example.com.evil.org",
        "http://www.example.com",
        "https://example.com",
        "https://www.example.com:444",
        "null",
        "*",
    ],
)
async def test_another_origin_may_neither_send_nor_read(site: Site, origin: str) -> None:
    answer = await site.submit(Origin=origin)
    assert answer.status == 403
    assert (await answer.json())["type"] == "urn:leadlog:problem:cross-site"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]
    assert await site.is_untouched()


async def test_a_browser_may_ask_first(site: Site) -> None:
    headers = {
        "Origin": FIRM,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    answer = await site.client.options("/leads", headers=headers)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == FIRM
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert {"Content-Type", "Idempotency-Key"} <= set(allowed.split(", "))
    stranger = await site.client.options("/leads", headers=headers | {"Origin": "https://evil.org"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


async def test_a_form_on_an_allowed_site_works_as_a_plain_form(site: Site) -> None:
    answer = await site.submit(browser=True, Origin=FIRM, Sec_Fetch_Site="cross-site")
    assert answer.status == 303


async def test_a_form_on_another_site_leads_to_our_own_empty_one(site: Site) -> None:
    answer = await site.submit(browser=True, Origin="https://partner.example.org")
    page = await answer.text()
    assert answer.status == 403
    assert "Please fill in the form here" in page
    assert "choose your file again" not in page
    assert await site.is_untouched()


async def test_pages_say_nothing_about_origins(site: Site) -> None:
    answer = await site.client.get("/", headers={"Origin": FIRM})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html", True),
        ("text/html;q=0.5", True),
        ("application/json;q=0.5, text/html", True),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("TEXT/HTML; Q=1", True),
        (";;,,", False),
    ],
)
def test_who_gets_a_page(accept: str, html: bool) -> None:  # noqa: FBT001
    assert prefers_html(accept) is html


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "www.example.com",
        "https://www.example.com/",
        "https://www.example.com/form",
        "https://*.example.com",
        "ftp://www.example.com",
        "https://a@www.example.com",
        "https://x.example.com;script-src",
        "null",
    ],
)
def test_origins_are_exact(origin: str) -> None:
    with pytest.raises(ValidationError, match="exact origins"):
        IntakeSettings(allowed_origins=[origin])


@pytest.mark.parametrize("url", ["/thanks", "javascript:alert(1)", "https://"])
def test_addresses_are_whole(url: str) -> None:
    with pytest.raises(ValidationError, match="full URL"):
        IntakeSettings(thank_you_url=url)


@pytest.mark.parametrize(
    "wrong",
    [{"max_resume_bytes": 0}, {"max_concurrent_uploads": 0}, {"body_timeout_seconds": 0}],
)
def test_limits_are_positive(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntakeSettings(**wrong)


async def test_the_description_names_every_field_and_answer(site: Site) -> None:
    document = await (await site.client.get("/openapi.json")).json()
    operation = document["paths"]["/leads"]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(schema["properties"]) == {*TEXT_FIELDS, "resume", "idempotency_key"}
    assert set(schema["required"]) == {"first_name", "last_name", "email", "resume"}
    assert {each["type"] for each in schema["properties"].values()} == {"string"}
    expected = {"202", "303", "400", "408", "413", "415", "422", "503"}
    assert expected <= set(operation["responses"])


async def test_other_methods_are_405(site: Site) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await site.client.request(method, "/leads")
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"]
