"""A resume with a virus, from the form to the inbox, on everything that ``make run`` starts."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.clamd import EICAR, NAME, clamd
from tests.support.cli import leadlog
from tests.support.files import pdf
from tests.support.up import EMAIL, Person, Up
from tests.unit.intake.documents import docx

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.fixture
async def scanning(tmp_path: Path) -> AsyncIterator[Person]:
    """Somebody at a system that has its resumes scanned."""
    system, timeout = Up(tmp_path / "data"), aiohttp.ClientTimeout(total=30)
    async with clamd() as server:
        try:
            await system.start(LEADLOG_LEADS_CLAMD=server.url)
            async with aiohttp.ClientSession(timeout=timeout) as session:
                yield Person(system, session)
        finally:
            await system.stop()


async def test_a_virus_is_quarantined_and_its_lead_is_not_lost(scanning: Person) -> None:
    person, up = scanning, scanning.up
    files = {
        "Text": (EICAR, ("cv.txt", "text/plain")),
        # Compressed: who looks at the file as it is does not see it.
        "Word": (docx(more={"word/notes.xml": EICAR * 20}), ("cv.docx", WORD)),
        "Fine": (pdf("Fine"), ("cv.pdf", "application/pdf")),
    }
    leads: dict[str, str] = {}
    for name, (content, file) in files.items():
        status, answer = await person.submit(name, content, file=file)
        assert status == 202, answer
        leads[name] = answer["lead_id"]
    await person.log_in()

    async def scans() -> bool:
        _, page = await person.get("/leads")
        found = {lead["first_name"]: lead["resume"]["scan"] for lead in page["items"]}
        return found == {"Text": "infected", "Word": "infected", "Fine": "clean"}

    await up.until(scans, "the resumes are not scanned")
    for name in files:
        await person.until_mailed(f"{name.lower()}@example.org")
    await person.until_mailed(EMAIL, len(files))
    assert await person.get(f"/leads/{leads['Fine']}/resume") == (200, files["Fine"][0])
    for name in ("Text", "Word"):
        status, problem = await person.get(f"/leads/{leads[name]}/resume")
        assert (status, problem["type"]) == (403, "urn:leadlog:problem:resume-quarantined")
        status, lead, _ = await person.post(f"/leads/{leads[name]}/reached-out", {})
        assert (status, lead["resume"]["signature"]) == (200, NAME)

    path, why = f"/leads/{leads['Text']}/resume/release", {"reason": "The test file."}
    status, _, position = await person.post(path, why)
    assert status == 200
    seen = {"Leadlog-Position": position}
    assert await person.get(f"/leads/{leads['Text']}/resume", **seen) == (200, EICAR)
    code, text = await leadlog("verify", "--data", up.data)
    assert code == 0, text
    assert (await leadlog("rebuild", "--data", up.data))[0] == 0
    assert (await person.get(f"/leads/{leads['Word']}/resume", **seen))[0] == 403
    logs = "".join(path.read_text() for path in (up.data / "logs").glob("*.log"))
    assert NAME in logs
    assert "text@example.org" not in logs
