"""The page behind a mailed link, in a real browser at a phone's width."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from services.leads.auth.permissions import Role
from tests.integration.leads.test_accounts_api import NEW, OMAR, invite, mails, token_of
from tests.integration.leads.world import Client, World, log_in, until
from tests.support.chromium import chromium

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with chromium() as browser:
        context = await browser.new_context(viewport={"width": 360, "height": 640})
        yield await context.new_page()


@pytest.fixture
async def client(world: World) -> Client:
    return await world.replica()


async def test_an_invited_person_chooses_a_password(
    world: World, client: Client, page: Page
) -> None:
    problems: list[str] = []
    sent: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: sent.append(request.url))
    await invite(await world.attorney(client, role=Role.ADMIN))
    token = await token_of(world, "account_invitation")

    await page.goto(f"{client.make_url('/invitation')}#{token}")
    await expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    await page.get_by_label("New password").fill("password1234567")
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("status")).to_contain_text("tried first")
    await page.get_by_label("New password").fill(NEW)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("status")).to_contain_text("You can sign in")

    assert problems == []
    assert token not in page.url
    assert not any(token in url.partition("#")[0] for url in sent)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (await log_in(client, OMAR, NEW)).status == 200


async def test_who_lost_a_password_asks_for_a_link(
    world: World, client: Client, page: Page
) -> None:
    await world.attorney(client)
    await page.goto(str(client.make_url("/password-reset")))
    await page.get_by_label("Your email address").fill("lena@firm.example")
    await page.get_by_role("button", name="Send me a link").click()
    await expect(page.get_by_role("status")).to_contain_text("on its way")

    async def has_come() -> bool:
        return bool(await mails(world, "password_reset"))

    await until(has_come)
    token = await token_of(world, "password_reset")
    await page.goto("about:blank")
    await page.goto(f"{client.make_url('/password-reset')}#{token}")
    await page.get_by_label("New password").fill(NEW)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("status")).to_contain_text("You can sign in")
    assert (await log_in(client, "lena@firm.example", NEW)).status == 200


async def test_an_invitation_without_its_link_says_what_to_do(client: Client, page: Page) -> None:
    answer = await page.goto(str(client.make_url("/invitation")))
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    await expect(page.get_by_role("status")).to_contain_text("Open the mail")
    await expect(page.get_by_label("New password")).to_be_hidden()
