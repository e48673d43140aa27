"""A resume that is a page or a picture with a script, opened in a real browser: nothing runs."""

import hashlib
from uuid import UUID

import pytest
from playwright.async_api import Error

from libs.events import LeadSubmitted, ResumeRef, new_id
from tests.integration.leads.world import World
from tests.support.chromium import chromium

SCRIPT = "document.cookie = 'ran=1'; document.title = 'ran'; top.document.title = 'ran';"
HOSTILE = {
    "text/html": f"<title>cv</title><script>{SCRIPT}</script>",
    "image/svg+xml": f'<svg xmlns="http://www.w3.org/2000/svg"><script>{SCRIPT}</script></svg>',
    "text/javascript": SCRIPT,
}


async def submitted(world: World, media_type: str, content: bytes) -> UUID:
    """Put into the log what intake would refuse: the download must be safe by itself."""
    lead_id, digest = new_id(), hashlib.sha256(content).hexdigest()
    name = await world.resumes.put(lead_id, [content], size=len(content), sha256=digest)
    resume = ResumeRef(
        object=name, file_name="cv.html", media_type=media_type, size=len(content), sha256=digest
    )
    event = LeadSubmitted(first_name="A", last_name="B", email="a@example.org", resume=resume)
    await world.append(lead_id, event)
    return lead_id


@pytest.mark.parametrize("media_type", HOSTILE)
async def test_a_hostile_resume_runs_nowhere(world: World, media_type: str) -> None:
    client = await world.replica()
    attorney = await world.attorney(client)
    lead_id = await submitted(world, media_type, HOSTILE[media_type].encode())
    await world.level(attorney)
    docs, resume = (str(client.make_url(path)) for path in ("/docs", f"/leads/{lead_id}/resume"))
    async with chromium() as browser:
        # Our own page's policy would stop it as well: it is left out, to see the answer's alone.
        context = await browser.new_context(bypass_csp=True, accept_downloads=True)
        await context.set_extra_http_headers({"Authorization": f"Bearer {attorney.access}"})
        page = await context.new_page()
        await page.goto(docs)
        title = await page.title()
        async with page.expect_download() as download:
            with pytest.raises(Error, match="Download is starting"):
                await page.goto(resume)
        assert (await download.value).suggested_filename == "cv.html"

        for tag in ("iframe", "img", "script", "embed"):
            async with page.expect_response(resume) as answered:
                await page.evaluate(
                    "([tag, src]) => document.body.append("
                    "Object.assign(document.createElement(tag), {src}))",
                    [tag, resume],
                )
            assert (await answered.value).status in {200, 304}
        frames = [frame.url for frame in page.frames[1:]]
        assert resume not in frames
        assert await page.title() == title
        assert await page.evaluate("document.cookie") == ""
        assert await context.cookies() == []
