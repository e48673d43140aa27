"""The pages: accessible, escaped, without a script, and framed by whom the firm allows."""

import re
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser

import pytest

from tests.unit.intake.conftest import Site
from tests.unit.intake.documents import PNG
from tests.unit.intake.forms import whole

MakeSite = Callable[..., Awaitable[Site]]
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[Attributes]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    def field(self, name: str) -> Attributes:
        [found] = [a for a in self.all("input", "textarea") if a.get("name") == name]
        return found

    @property
    def ids(self) -> list[str | None]:
        return [a["id"] for _, a in self.elements if "id" in a]


async def test_the_form_is_one_that_works_without_a_script(site: Site) -> None:
    answer = await site.client.get("/")
    page = Page(await answer.text())
    [form] = page.all("form")
    assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")
    assert form["action"] == "leads"
    assert page.all("script") == []
    assert answer.headers["Cache-Control"] == "no-store"


async def test_every_field_has_its_label_and_says_what_it_is_for(site: Site) -> None:
    page = Page(await (await site.client.get("/")).text())
    labels = {label["for"] for label in page.all("label")}
    shown = [a for a in page.all("input", "textarea") if a.get("type") != "hidden"]
    assert {a["id"] for a in shown} == labels
    assert len(page.ids) == len(set(page.ids))
    autocomplete = {a["name"]: a["autocomplete"] for a in shown if "autocomplete" in a}
    assert autocomplete == {
        "first_name": "given-name",
        "last_name": "family-name",
        "email": "email",
        "phone": "tel",
    }
    needed = {a["name"] for a in shown if "required" in a}
    assert needed == {"first_name", "last_name", "email", "resume"}


async def test_an_error_is_tied_to_its_field_and_linked_from_the_summary(site: Site) -> None:
    sent = whole(PNG, "cv.png", email="nonsense", last_name="Byron")
    page = Page(await (await site.submit(sent, browser=True)).text())
    for name in ("email", "resume"):
        field = page.field(name)
        assert field["aria-invalid"] == "true"
        described = (field["aria-describedby"] or "").split()
        assert f"{name}-error" in described
        assert set(described) <= set(page.ids)
        assert {"href": f"#{name}"} in page.all("a")
    assert "aria-invalid" not in page.field("last_name")
    assert page.field("last_name")["value"] == "Byron"
    assert [a["role"] for a in page.all("section")] == ["alert"]
    assert "value" not in page.field("resume")


@pytest.mark.parametrize("typed", ['"><script>alert(1)</script>', "{{7*7}}", "</textarea><b>"])
async def test_what_was_typed_is_shown_as_it_was_typed(site: Site, typed: str) -> None:
    sent = whole(first_name=typed, message=typed, email="x")
    text = await (await site.submit(sent, browser=True)).text()
    page = Page(text)
    assert page.field("first_name")["value"] == typed
    assert page.all("script", "b") == []
    assert "{{7*7}}" in text or "{{" not in typed


async def test_a_message_keeps_its_first_line_break(site: Site) -> None:
    text = await (await site.submit(whole(message="\nhello", email="x"), browser=True)).text()
    assert re.search(r"<textarea[^>]*>\n\r?\nhello</textarea>", text)


async def test_the_firm_is_named_and_its_notice_linked(make_site: MakeSite) -> None:
    site = await make_site(
        firm_name="Byron & <Partners>",
        form_intro="Hello there.",
        privacy_url="https://www.example.com/privacy",
        max_resume_bytes=5 * 1024 * 1024,
    )
    for path in ("/", "/thank-you"):
        text = await (await site.client.get(path)).text()
        assert "Byron &amp; &lt;Partners&gt;" in text
        assert 'href="https://www.example.com/privacy"' in text
    form = await (await site.client.get("/")).text()
    assert "Hello there." in form
    assert "at most 5&nbsp;MB" in form


@pytest.mark.parametrize("path", ["/", "/thank-you"])
async def test_the_policy_allows_no_script_and_only_the_firms_frames(
    make_site: MakeSite, path: str
) -> None:
    site = await make_site(allowed_origins=["https://www.example.com"])
    policy = (await site.client.get(path)).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == "'self'"
    assert "script-src" not in rules
    assert "unsafe" not in policy
    assert rules["frame-ancestors"] == "'self' https://www.example.com"


async def test_other_answers_may_not_be_framed(make_site: MakeSite) -> None:
    site = await make_site(allowed_origins=["https://www.example.com"])
    policy = (await site.submit()).headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("path", "media_type"), [("/intake.css", "text/css"), ("/intake.svg", "image/svg+xml")]
)
async def test_style_and_icon_are_files(site: Site, path: str, media_type: str) -> None:
    answer = await site.client.get(path)
    assert (answer.status, answer.content_type) == (200, media_type)
    assert "max-age" in answer.headers["Cache-Control"]
    assert "unsafe" not in await answer.text()


async def test_pages_answer_head(site: Site) -> None:
    for path in ("/", "/thank-you", "/intake.css"):
        assert (await site.client.head(path)).status == 200
