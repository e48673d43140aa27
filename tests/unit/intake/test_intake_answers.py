"""What a form gets for an answer: every row of the table of bad input, and the good case."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from libs.chassis.metrics import METRICS
from libs.events import StoreUnavailable
from services.intake import fields as fields_module
from services.intake import form_reader, idempotency, receive
from services.intake import resume as resume_module
from services.intake.keys import TASKS
from services.intake.problems import ERRORS
from tests.unit.intake.conftest import Site
from tests.unit.intake.documents import DOCX, EVERY_KIND, PDF, PNG
from tests.unit.intake.forms import CONTENT_TYPE, body, fields, file_part, text_part, whole

MakeSite = Callable[..., Awaitable[Site]]
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.mark.parametrize("extension", EVERY_KIND)
async def test_a_script_gets_202_and_the_lead_is_recorded(site: Site, extension: str) -> None:
    answer = await site.submit(whole(EVERY_KIND[extension], f"cv.{extension}", phone="+1 555 0100"))
    assert answer.status == 202
    document = await answer.json()
    assert set(document) == {"lead_id", "status", "submitted_at"}
    assert document["status"] == "PENDING"
    assert UUID(document["lead_id"]).version == 7
    assert answer.headers["Leadlog-Position"] == "1"
    [lead] = await site.leads()
    assert (lead.first_name, lead.phone, lead.message) == ("Ada", "+1 555 0100", None)
    stored = b"".join([piece async for piece in site.resumes.read(lead.resume.object)])
    assert stored == EVERY_KIND[extension]


async def test_a_browser_is_sent_on_to_the_thanks(site: Site) -> None:
    answer = await site.submit(browser=True)
    assert (answer.status, answer.headers["Location"]) == (303, "thank-you")
    assert answer.headers["Leadlog-Position"] == "1"
    page = await site.client.get("/thank-you")
    assert "Thank you" in await page.text()


async def test_or_to_the_page_of_the_firm(make_site: MakeSite) -> None:
    site = await make_site(thank_you_url="https://www.example.com/thanks")
    answer = await site.submit(browser=True)
    assert answer.headers["Location"] == "https://www.example.com/thanks"
    policy = (await site.client.get("/")).headers["Content-Security-Policy"]
    assert "form-action 'self' https://www.example.com;" in policy


BAD_INPUT = [
    ("nothing at all", body(), 422, "validation", {"first_name", "last_name", "email", "resume"}),
    ("a missing field", body(*fields()[1:], file_part()), 422, "validation", {"first_name"}),
    ("too long", whole(first_name="x" * 101), 422, "validation", {"first_name"}),
    ("far too long", whole(message="x" * 100_000), 422, "validation", {"message"}),
    ("bad email", whole(email="ada"), 422, "validation", {"email"}),
    ("control characters", whole(last_name="By\x00ron"), 422, "validation", {"last_name"}),
    ("a line break", whole(last_name="Byron\r\nBcc: x"), 422, "validation", {"last_name"}),
    ("bad phone", whole(phone="call me"), 422, "validation", {"phone"}),
    (
        "not UTF-8",
        body(text_part("first_name", b"\xff"), *fields()[1:], file_part()),
        422,
        "validation",
        {"first_name"},
    ),
    (
        "a field twice",
        body(*fields(), text_part("email", b"b@example.com"), file_part()),
        422,
        "validation",
        {"email"},
    ),
    ("no resume", body(*fields()), 422, "validation", {"resume"}),
    ("no file chosen", whole(b"", ""), 422, "validation", {"resume"}),
    ("an empty resume", whole(b""), 422, "validation", {"resume"}),
    (
        "two files",
        body(*fields(), file_part(), file_part()),
        422,
        "validation",
        {"resume"},
    ),
    (
        "another file",
        body(*fields(), file_part(), file_part(name="photo")),
        422,
        "validation",
        {"resume"},
    ),
    ("too large", whole(PDF + bytes(2000)), 413, "resume-too-large", {"resume"}),
    ("not allowed", whole(PNG, "cv.png"), 415, "resume-not-accepted", {"resume"}),
    ("name disagrees", whole(DOCX, "cv.pdf"), 415, "resume-not-accepted", {"resume"}),
    (
        "everything wrong",
        body(text_part("email", b"x"), file_part(PNG)),
        422,
        "validation",
        {"first_name", "last_name", "email", "resume"},
    ),
    ("cut short", whole()[:-10], 400, "broken-form", set()),
    ("no multipart at all", b"first_name=Ada", 400, "broken-form", set()),
    ("an empty body", b"", 400, "broken-form", set()),
    ("too many fields", body(*[text_part("f", b"")] * 50), 413, "form-too-large", set()),
]


@pytest.mark.parametrize("browser", [False, True], ids=["script", "browser"])
@pytest.mark.parametrize(
    ("content", "status", "slug", "named"),
    [row[1:] for row in BAD_INPUT],
    ids=[row[0] for row in BAD_INPUT],
)
async def test_bad_input(
    make_site: MakeSite,
    content: bytes,
    status: int,
    slug: str,
    named: set[str],
    browser: bool,  # noqa: FBT001
) -> None:
    site = await make_site(max_resume_bytes=1500)
    answer = await site.submit(content, browser=browser, Idempotency_Key=KEY)
    assert answer.status == status
    assert await site.is_untouched()
    if browser:
        assert answer.content_type == "text/html"
        shown = set(re.findall(r'<p class="error" id="([a-z_]+)-error">', await answer.text()))
        assert shown == named
        return
    assert answer.content_type == "application/problem+json"
    problem = await answer.json()
    assert problem["type"] == f"urn:leadlog:problem:{slug}"
    assert {error["field"] for error in problem.get("errors", [])} == named


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"],
)
async def test_another_content_type_is_415(site: Site, content_type: str) -> None:
    answer = await site.client.post("/leads", data=b"x", headers={"Content-Type": content_type})
    assert answer.status == 415
    assert (await answer.json())["type"].endswith("wrong-content-type")


async def test_a_content_length_that_says_too_much_is_refused_unread(make_site: MakeSite) -> None:
    site = await make_site(max_resume_bytes=1024)
    reader, writer = await connect(site)
    writer.write(head(f"Content-Length: {10**9}"))
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert b" 413 " in status


async def test_a_browser_keeps_what_was_typed_when_its_file_is_far_too_large(
    make_site: MakeSite,
) -> None:
    site = await make_site(max_resume_bytes=1024)
    answer = await site.submit(whole(PDF + bytes(1_000_000)), browser=True)
    assert answer.status == 413
    assert 'value="Byron"' in await answer.text()
    assert await site.is_untouched()


async def connect(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert site.client.port
    return await asyncio.open_connection(site.client.host, site.client.port)


def head(*more: str) -> bytes:
    lines = ["POST /leads HTTP/1.1", "Host: test", f"Content-Type: {CONTENT_TYPE}", *more, "", ""]
    return "\r\n".join(lines).encode()


async def test_a_slow_client_gets_408(make_site: MakeSite) -> None:
    site = await make_site(body_timeout_seconds=0.1)
    reader, writer = await connect(site)
    writer.write(head("Content-Length: 5000") + whole()[:300])
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert b" 408 " in status
    assert await site.is_untouched()


async def test_a_client_that_hangs_up_leaves_nothing_and_makes_no_noise(site: Site) -> None:
    with capture_logs() as logs:
        _, writer = await connect(site)
        writer.write(head("Content-Length: 5000") + whole()[:700])
        await writer.drain()
        writer.transport.abort()
        await until(lambda: any("hung up" in entry["event"] for entry in logs))
    assert await site.is_untouched()
    assert {entry["log_level"] for entry in logs} <= {"debug", "info"}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


async def test_a_chunked_body_that_is_damaged_is_400(site: Site) -> None:
    reader, writer = await connect(site)
    writer.write(head("Transfer-Encoding: chunked") + b"5\r\nhello\r\nzzz\r\n")
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert b" 400 " in status


async def test_a_chunked_form_is_read(site: Site) -> None:
    sent = whole()

    async def pieces() -> Any:
        for start in range(0, len(sent), 7):
            yield sent[start : start + 7]

    answer = await site.client.post("/leads", data=pieces(), headers={"Content-Type": CONTENT_TYPE})
    assert answer.status == 202


async def test_when_too_many_send_at_once_the_next_is_told_to_wait(make_site: MakeSite) -> None:
    site = await make_site(max_concurrent_uploads=1)
    _, writer = await connect(site)
    writer.write(head("Content-Length: 5000") + whole()[:300])
    await writer.drain()
    answers: list[tuple[int, str | None]] = []

    async def refused() -> bool:
        answer = await site.submit(Idempotency_Key=KEY)
        answers.append((answer.status, answer.headers.get("Retry-After")))
        return answer.status == 503

    async with asyncio.timeout(5):
        while not await refused():
            pass
    writer.close()
    assert answers == [*[(202, None)] * (len(answers) - 1), (503, "2")]
    async with asyncio.timeout(5):
        while await refused():
            pass
    assert answers[-1] == (202, None)


async def test_the_broker_away_is_503_with_nothing_half_done(site: Site) -> None:
    site.store.before = StoreUnavailable()
    answer = await site.submit()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await answer.json())["detail"].startswith("The form was not stored.")
    assert await site.leads() == []
    site.store.before = None
    assert (await site.submit()).status == 202


async def test_when_nobody_knows_the_answer_says_so(site: Site) -> None:
    site.store.after = StoreUnavailable(ambiguous=True)
    answer = await site.submit(Idempotency_Key=KEY)
    assert answer.status == 503
    assert "not known" in (await answer.json())["detail"]
    site.store.after = None
    assert (await site.submit(Idempotency_Key=KEY)).status == 202
    assert len(await site.leads()) == 1


async def test_a_browser_keeps_what_was_typed_when_the_broker_is_away(site: Site) -> None:
    site.store.before = StoreUnavailable()
    answer = await site.submit(whole(idempotency_key="abc"), browser=True)
    page = await answer.text()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert 'value="Byron"' in page
    assert 'name="idempotency_key" value="abc"' in page
    assert "could not save your form" in page


async def test_an_unexpected_error_is_500_and_closes_the_file(site: Site) -> None:
    site.store.before = RuntimeError("boom")
    with capture_logs() as logs:
        answer = await site.submit()
    assert answer.status == 500
    assert any(entry["log_level"] == "error" for entry in logs)


async def test_the_same_key_and_body_gets_the_first_answer_again(site: Site) -> None:
    first = await site.submit(Idempotency_Key=KEY)
    again = await site.submit(Idempotency_Key=KEY)
    assert (again.status, await again.json()) == (first.status, await first.json())
    assert again.headers["Leadlog-Position"] == first.headers["Leadlog-Position"]
    assert len(await site.leads()) == 1


async def test_the_same_key_and_another_body_is_422(site: Site) -> None:
    await site.submit(Idempotency_Key=KEY)
    answer = await site.submit(whole(first_name="Eve"), Idempotency_Key=KEY)
    assert answer.status == 422
    assert (await answer.json())["type"].endswith("idempotency-key-reused")


async def test_a_double_click_on_the_form_makes_one_lead(site: Site) -> None:
    page = await (await site.client.get("/")).text()
    [key] = re.findall(r'name="idempotency_key" value="([0-9a-f]+)"', page)
    sent = whole(idempotency_key=key)
    answers = await asyncio.gather(*(site.submit(sent, browser=True) for _ in range(2)))
    assert [answer.status for answer in answers] == [303, 303]
    assert len(await site.leads()) == 1
    other = await site.submit(whole(first_name="Eve", idempotency_key=key), browser=True)
    page = await other.text()
    assert other.status == 422
    assert "already have this form" in page
    assert key not in page


async def test_the_header_wins_over_the_field(site: Site) -> None:
    await site.submit(whole(idempotency_key="one"), Idempotency_Key="header")
    await site.submit(whole(idempotency_key="two"), Idempotency_Key="header")
    assert len(await site.leads()) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
async def test_a_key_that_is_none_is_400(site: Site, key: str) -> None:
    answer = await site.submit(Idempotency_Key=key)
    assert answer.status == 400
    assert (await answer.json())["type"].endswith("idempotency-key-invalid")
    assert await site.is_untouched()


async def test_an_invalid_key_in_the_form_is_400(site: Site) -> None:
    assert (await site.submit(whole(idempotency_key="x" * 256))).status == 400
    assert await site.is_untouched()


async def test_two_keys_are_400(site: Site) -> None:
    headers = [("Content-Type", CONTENT_TYPE), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await site.client.post("/leads", data=whole(), headers=headers)
    assert answer.status == 400


async def test_a_client_that_hangs_up_after_its_form_is_whole_is_still_recorded(
    site: Site,
) -> None:
    gate = asyncio.Event()
    append = site.store.append

    async def slow(*args: Any, **kwargs: Any) -> Any:
        await gate.wait()
        return await append(*args, **kwargs)

    site.store.append = slow  # type: ignore[method-assign]
    _, writer = await connect(site)
    writer.write(head(f"Content-Length: {len(whole())}") + whole())
    await writer.drain()
    await until(lambda: bool(site.resumes.there))
    writer.transport.abort()
    gate.set()
    assert await site.app[TASKS].drain(5) == 0
    assert len(await site.leads()) == 1


async def test_nothing_typed_reaches_the_log(site: Site) -> None:
    def marked(content: bytes = PDF, name: str = "cv.pdf", **more: str) -> bytes:
        values = {"first_name": "Zqada", "last_name": "Zqbyron", "message": "Zqhello"} | more
        return body(*fields(**values), file_part(content, name))

    with capture_logs() as logs:
        good = marked(email="zqada@example.com", phone="555 0199")
        await site.submit(good, Idempotency_Key="Zqkey")
        await site.submit(marked(email="Zqbad"))
        await site.submit(marked(PNG, "Zqname.pdf"))
        site.store.before = StoreUnavailable()
        await site.submit(good)
        site.store.before = RuntimeError("boom")
        await site.submit(good)
        site.store.before = None
        await site.submit(good, browser=True)
    assert len(logs) >= 6
    assert "zq" not in repr(logs).lower()
    assert "555 0199" not in repr(logs)


async def test_what_is_counted(site: Site) -> None:
    registry = site.app[METRICS].registry
    await site.submit()
    await site.submit(whole(email="x"))
    await site.submit(Idempotency_Key="a")
    await site.submit(Idempotency_Key="a")
    assert registry.get_sample_value("leads_submitted_total") == 2
    assert registry.get_sample_value("resume_bytes_count") == 2
    assert registry.get_sample_value("resume_bytes_sum") == 2 * len(PDF)
    refused = {"reason": "validation"}
    assert registry.get_sample_value("submissions_refused_total", refused) == 1


def test_every_error_of_the_service_has_a_row() -> None:
    modules = [form_reader, fields_module, idempotency, receive, resume_module]
    declared = {
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Exception)
        if each.__module__.startswith("services.intake")
    }
    assert declared <= set(ERRORS)
    assert len(declared) >= 12
