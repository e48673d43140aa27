"""A person with a browser: the form, the thank-you page, the mails, the pages of the APIs."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.chromium import chromium
from tests.support.files import pdf
from tests.support.up import EMAIL, Person, Up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def fill(page: Page, email: str) -> None:
    await page.get_by_label("First name").fill("Zoë")
    await page.get_by_label("Last name").fill("O'Neil <script>alert(1)</script>")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Message").fill("Hello\nthere")


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_person_sends_the_form_and_the_mails_can_be_read(
    up: Up, person: Person, tmp_path: Path, *, javascript: bool
) -> None:
    resume = tmp_path / "My résumé.pdf"
    resume.write_bytes(pdf("Zoe"))
    async with chromium() as browser:
        context = await browser.new_context(java_script_enabled=javascript)
        page = await context.new_page()
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))

        await page.goto(up.url("form"))
        await fill(page, "zoe@example.org")
        await page.get_by_label("Resume").set_input_files(resume)
        await page.get_by_role("button", name="Send").click()
        await expect(page).to_have_url(f"{up.url('form')}/thank-you")
        await person.until_mailed("zoe@example.org")
        await person.until_mailed(EMAIL)

        await page.goto(up.url("mails"))
        await expect(page.get_by_text("zoe@example.org").first).to_be_visible()
        await page.get_by_text(EMAIL).first.click()
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_text("<script>alert(1)</script>").first).to_be_visible()
        assert problems == []

    await person.log_in()
    [lead] = await person.lead_ids()
    _, detail = await person.get(f"/leads/{lead}")
    assert detail["first_name"] == "Zoë"
    assert detail["resume"]["file_name"] == "My résumé.pdf"
    assert detail["message"].splitlines() == ["Hello", "there"]
    assert await person.get(f"/leads/{lead}/resume") == (200, resume.read_bytes())


async def test_a_mistake_is_shown_beside_its_field_and_nothing_typed_is_lost(
    up: Up, tmp_path: Path
) -> None:
    wrong = tmp_path / "resume.pdf"
    wrong.write_bytes(b"MZ\x90\0 this is a program")
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(up.url("form"))
        await fill(page, "zoe@example.org")
        await page.get_by_label("Resume").set_input_files(wrong)
        await page.get_by_role("button", name="Send").click()
        resume = page.get_by_label("Resume")
        await expect(resume).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("First name")).to_have_value("Zoë")
        await expect(page.get_by_label("Message")).to_have_value("Hello\nthere")


async def test_the_pages_of_the_apis_load_without_a_violation_of_their_policy(up: Up) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        for place, path in (("form", "/docs"), ("inbox", "/docs"), ("form", "/"), ("mails", "/")):
            await page.goto(up.url(place) + path)
            await expect(page.get_by_role("heading").first).to_be_visible()
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, f"{place}{path} is {width} px wide on a phone"
        assert problems == []
