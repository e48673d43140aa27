"""A person is erased from everything that ``make run`` starts: no file below the data folder
holds a trace any more. The mail catcher's folder stands for mailboxes elsewhere and is left out.
"""

import asyncio
import base64
from pathlib import Path
from random import Random
from uuid import UUID

import aiohttp
import pytest

from libs.events.dead_letters import DeadLetters
from libs.events.jetstream import JetStreamEventStore
from services.cli import broker
from tests.support.cli import leadlog
from tests.support.files import pdf
from tests.support.up import Json, Person, Up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAME, LAST = "Xanthippequux", "Wurzelbrunft"
ADDRESS = "xanthippequux.wurzelbrunft@example.org"
PHONE, MESSAGE = "+49 30 9081726354", "My landlord keeps a walrus in the stairwell."
NOTE = "She mentioned the walrus again, twice."
WHY = "The walrus vouches for what she wrote."
RESUME = pdf("Small") + b"\n%" + base64.b85encode(Random(3).randbytes(2000))  # noqa: S311 - bytes
LARGE = pdf("Large") + b"\n%" + base64.b85encode(Random(4).randbytes(500_000))  # noqa: S311
KEPT, KEPT_RESUME = "Kept", pdf("Kept") + b"\n%" + b"k" * 500


def needles() -> dict[str, bytes]:
    """What must not be found: as it is, folded, in UTF-16 and in base64.

    JetStream compresses nothing unless a stream is declared so, and none is.
    """
    found: dict[str, bytes] = {}
    texts = {"name": NAME, "last": LAST, "address": ADDRESS, "phone": PHONE, "message": MESSAGE}
    for label, text in {**texts, "note": NOTE, "why": WHY}.items():
        for spelt in {text, text.lower()}:
            found[f"{label} {spelt}"] = spelt.encode()
            found[f"{label} {spelt} in UTF-16"] = spelt.encode("utf-16-le")
            for shift in range(3):
                encoded = base64.b64encode(b"\0" * shift + spelt.encode())
                found[f"{label} {spelt} in base64, {shift}"] = encoded[4:-4]
    for label, content in {"resume": RESUME, "large resume": LARGE}.items():
        own = content.index(b"\n%", len(pdf("Small")) - 10)
        for start in range(own + 2, len(content) - 64, max(64, len(content) // 50)):
            piece = content[start : start + 64]
            found[f"{label} at {start}"] = piece
            found[f"{label} at {start} in base64"] = base64.b64encode(piece)
    return found


def traces(data: Path) -> dict[str, str]:
    """Which needles stand in which files."""
    files = [
        path for path in data.rglob("*") if path.is_file() and data / "mails" not in path.parents
    ]
    assert any(path.suffix == ".blk" for path in files)
    found: dict[str, str] = {}
    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # a block that was compacted away in this moment
        found |= {label: str(path) for label, one in needles().items() if one in content}
    return found


async def submit(person: Person, resume: bytes, key: str) -> str:
    """The unmistakable person sends the form."""
    fields = {
        "first_name": NAME,
        "last_name": LAST,
        "email": ADDRESS,
        "phone": PHONE,
        "message": MESSAGE,
    }
    form = aiohttp.FormData(fields)
    form.add_field("resume", resume, filename="cv.pdf", content_type="application/pdf")
    url, headers = f"{person.up.url('form')}/leads", {"Idempotency-Key": key}
    async with person.session.post(url, data=form, headers=headers) as answer:
        body: Json = await answer.json(content_type=None)
        assert answer.status == 202, body
        return str(body["lead_id"])


async def crowd(person: Person, prefix: str) -> list[str]:
    """So many forms at once that the stores write in batches."""
    sent = [person.submit(f"{prefix}{number}", KEPT_RESUME) for number in range(40)]
    return [str(body["lead_id"]) for _, body in await asyncio.gather(*sent)]


async def test_nothing_of_an_erased_person_is_on_disk(up: Up, person: Person) -> None:
    data = up.data
    first, others, large = await asyncio.gather(
        submit(person, RESUME, "key-1"), crowd(person, "before"), submit(person, LARGE, "key-2")
    )
    assert await submit(person, RESUME, "key-1") == first
    await person.until_mailed(ADDRESS, 2)
    await person.log_in()
    await person.post(f"/leads/{first}/reached-out", {"channel": "phone", "note": NOTE})
    await person.post(f"/leads/{first}/resume/release", {"reason": WHY})
    assert (await leadlog("rebuild", "--data", data))[0] == 0
    await put_dead_letter(data, UUID(first))
    before = traces(data)
    kinds = {label.split()[0] for label in before}
    assert kinds >= {"name", "address", "phone", "note", "why", "resume"}

    export = data.parent / "person.zip"
    assert (await leadlog("export", ADDRESS.upper(), export, "--data", data))[0] == 0
    load = asyncio.create_task(crowd(person, "during"))
    code, text = await leadlog("erase", ADDRESS.upper(), "--yes", "--data", data)
    assert code == 0, text
    assert all(f"erased  {lead}" in text for lead in (first, large))
    others += await load
    await up.until(lambda: not traces(data), f"still there: {list(traces(data).items())[:9]}")
    assert await person.lead_ids() == set(others)

    code, text = await leadlog("verify", "--data", data)
    assert code == 0, text
    assert (await leadlog("rebuild", "--data", data))[0] == 0
    assert traces(data) == {}
    await up.stop()
    assert traces(data) == {}
    for file in data.glob("leads.sqlite*"):
        file.unlink()
    again = Up(data)
    try:
        await again.start()
        again.password = up.password
        returned = Person(again, person.session)
        await returned.log_in()
        assert await returned.lead_ids() == set(others)
        assert await returned.get(f"/leads/{others[0]}/resume") == (200, KEPT_RESUME)
        assert (await returned.get(f"/leads/{first}/history"))[0] == 410
        assert traces(data) == {}
    finally:
        await again.stop()


async def put_dead_letter(data: Path, lead: UUID) -> None:
    async with broker.jetstream(data) as js:
        submission = (await JetStreamEventStore(js).load(lead)).events[0]
        await DeadLetters(js).put("notifier", submission, "refused", key="prospect")
