"""The page, asked over HTTP."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from yarl import URL

from services.cli.mail_catcher.folder import MailFolder
from services.cli.mail_catcher.pages import PAGE_SIZE, build_app

SCRIPT = "<script>alert(1)</script>"
BOTH = (
    f"From: {SCRIPT} <a@x.example>\r\nSubject: {SCRIPT}\r\nX-Odd: {SCRIPT}\r\n"
    "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    f"--b\r\nContent-Type: text/plain\r\n\r\n{SCRIPT} https://a.example/\r\n"
    f"--b\r\nContent-Type: text/html\r\n\r\n<h1>Hello</h1>{SCRIPT}\r\n--b--\r\n"
).encode()

Client = TestClient[Request, Application]


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    made = MailFolder(tmp_path / "mails")
    made.open()
    return made


@pytest.fixture
async def client(folder: MailFolder) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(folder, "127.0.0.1"))) as made:
        yield made


async def text(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == HTTPStatus.OK
        return await answer.text()


def keep(folder: MailFolder, data: bytes = BOTH) -> str:
    return folder.keep("a@x.example", ["b@y.example", f"{SCRIPT}@y.example"], data)


async def test_an_empty_list_says_what_will_appear(client: Client) -> None:
    assert "will appear here" in await text(client, "/")


async def test_the_list_is_newest_first_and_escapes(folder: MailFolder, client: Client) -> None:
    ids = [keep(folder), keep(folder)]
    page = await text(client, "/")
    assert page.index(ids[1]) < page.index(ids[0])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert 'http-equiv="refresh"' in page


async def test_older_mails_are_on_pages_of_their_own(folder: MailFolder, client: Client) -> None:
    ids = [keep(folder, b"Subject: x\r\n\r\n") for _ in range(PAGE_SIZE + 1)]
    first = await text(client, "/")
    assert ids[0] not in first
    older = await text(client, f"/?before={ids[1]}")
    assert ids[0] in older
    assert ids[1] not in older


async def test_a_mail_is_shown_and_nothing_of_it_is_markup(
    folder: MailFolder, client: Client
) -> None:
    mail_id = keep(folder)
    async with client.get(f"/mails/{mail_id}") as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "<script" not in page
    assert "<h1>Hello</h1>" not in page
    assert f'<iframe sandbox src="/mails/{mail_id}/html"' in page
    assert '<a href="https://a.example/"' in page
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy


async def test_the_html_is_as_it_came_and_locked_up(folder: MailFolder, client: Client) -> None:
    async with client.get(f"/mails/{keep(folder)}/html") as answer:
        assert await answer.text() == f"<h1>Hello</h1>{SCRIPT}"
        rules = answer.headers["Content-Security-Policy"].split("; ")
    assert rules[:4] == [
        *("sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:")
    ]


async def test_the_source_is_the_mail_as_plain_text(folder: MailFolder, client: Client) -> None:
    async with client.get(f"/mails/{keep(folder)}/source") as answer:
        assert (await answer.read()).endswith(BOTH)
        assert answer.content_type == "text/plain"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


BROKEN = [
    *(b"", b"\x00\xff\xfe", b"Subject: =?utf-8?b?a?=\r\nContent-Type: multipart/mixed\r\n\r\nx"),
    b"Content-Type: text/plain; charset=nonsense\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff!",
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n",
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_mail_can_be_seen(folder: MailFolder, client: Client, broken: bytes) -> None:
    mail_id = keep(folder, broken)
    assert mail_id in await text(client, "/")
    assert "View source" in await text(client, f"/mails/{mail_id}")
    async with client.get(f"/mails/{mail_id}/source") as answer:
        assert (await answer.read()).endswith(broken)


async def test_the_list_for_scripts(folder: MailFolder, client: Client) -> None:
    data = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 9 Mar 2026 14:05:00 +0100\r\n\r\n"
    mail_id = folder.keep("a@x.example", ["b@y.example"], data)
    async with client.get("/api/mails") as answer:
        (mail,) = await answer.json()
    assert mail.pop("received")
    assert mail == {
        "id": mail_id,
        "from": "a@x.example",
        "to": ["b@y.example"],
        "subject": "Grüße",
        "date": "2026-03-09T14:05:00+01:00",
    }


@pytest.mark.parametrize("bad", ["../secret", "..%2fsecret", "%2e%2e%2fsecret", "x", "%00", "é"])
@pytest.mark.parametrize("rest", ["", "/html", "/source"])
async def test_no_path_leads_out_of_the_folder(
    folder: MailFolder, client: Client, bad: str, rest: str
) -> None:
    (folder.path.parent / "secret.eml").write_bytes(b"secret")
    url = client.make_url("/").with_path("/", encoded=True)
    raw = URL(f"{url}mails/{quote(bad, safe='%/')}{rest}", encoded=True)
    async with client.session.get(raw) as answer:
        assert answer.status == HTTPStatus.NOT_FOUND
        assert "no such mail" in await answer.text()


async def test_deleting_asks_first(folder: MailFolder, client: Client) -> None:
    keep(folder)
    assert "One mail is kept" in await text(client, "/clear")
    assert len(folder.ids()) == 1
    async with client.post("/clear") as answer:
        assert "No mail yet" in await answer.text()
    assert folder.ids() == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_another_page_cannot_delete(folder: MailFolder, client: Client, origin: str) -> None:
    keep(folder)
    async with client.post("/clear", headers={"Origin": origin}) as answer:
        assert answer.status == HTTPStatus.FORBIDDEN
    assert len(folder.ids()) == 1


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8025", "127.0.0.1.evil.example"])
async def test_a_foreign_name_for_this_machine_is_refused(client: Client, name: str) -> None:
    async with client.get("/api/mails", headers={"Host": name}) as answer:
        assert answer.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("name", ["localhost:8025", "127.0.0.1", "[::1]:8025"])
async def test_this_machines_own_names_are_taken(client: Client, name: str) -> None:
    async with client.get("/api/mails", headers={"Host": name}) as answer:
        assert answer.status == HTTPStatus.OK


async def test_beyond_loopback_any_name_may_lead_here(folder: MailFolder) -> None:
    async with (
        TestClient(TestServer(build_app(folder, "0.0.0.0"))) as client,  # noqa: S104 - the case
        client.get("/", headers={"Host": "mails.internal"}) as answer,
    ):
        assert answer.status == HTTPStatus.OK


async def test_health_is_about_the_folder(folder: MailFolder, client: Client) -> None:
    async with client.get("/healthz") as answer:
        assert answer.status == HTTPStatus.OK
    folder.path.rmdir()
    async with client.get("/healthz") as answer:
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("name", ["catcher.css", "catcher.svg"])
async def test_what_the_page_is_made_of(client: Client, name: str) -> None:
    assert await text(client, f"/{name}")
