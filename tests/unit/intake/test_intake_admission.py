"""Who may send the form: the rule against other sites, and how often."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.intake.admission import Admission
from services.intake.keys import ADMISSION
from services.intake.settings import IntakeSettings
from tests.unit.intake.conftest import Site

MakeSite = Callable[..., Awaitable[Site]]
PROXY = ["127.0.0.0/8", "::1/128"]
LIMITED: dict[str, Any] = {
    "trusted_proxies": PROXY,
    "submissions_per_minute": 6,
    "submissions_burst": 2,
}
Headers = dict[str, Any]
ALICE: Headers = {"X-Forwarded-For": "198.51.100.1"}
BOB: Headers = {"X-Forwarded-For": "198.51.100.2"}


def sent_from(addresses: str) -> Headers:
    return {"X-Forwarded-For": addresses}


async def test_an_address_that_sends_too_many_is_told_when_to_come_back(
    make_site: MakeSite,
) -> None:
    site = await make_site(**LIMITED)
    assert [(await site.submit(**ALICE)).status for _ in range(2)] == [202, 202]
    refused = await site.submit(**ALICE)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
    assert (await refused.json())["type"] == "urn:leadlog:problem:too-many-submissions"
    assert (await site.submit(**BOB)).status == 202
    assert len(await site.leads()) == 3


async def test_time_makes_it_good_again(make_site: MakeSite) -> None:
    site, now = await make_site(**LIMITED), [0.0]
    site.app._state[ADMISSION] = Admission(site.settings, lambda: now[0])
    answers = [(await site.submit(**ALICE)).status for _ in range(3)]
    now[0] = 10.0
    answers += [(await site.submit(**ALICE)).status for _ in range(2)]
    assert answers == [202, 202, 429, 202, 429]


async def test_a_person_reads_friendly_words_and_keeps_what_was_typed(make_site: MakeSite) -> None:
    site = await make_site(**LIMITED | {"submissions_burst": 1})
    await site.submit(browser=True, **ALICE)
    answer = await site.submit(browser=True, **ALICE)
    page = await answer.text()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "10")
    assert "Please wait a minute" in page
    assert f'value="{(await site.leads())[0].email}"' in page
    assert len(await site.leads()) == 1


async def test_one_ipv6_subscriber_is_one_client(make_site: MakeSite) -> None:
    site = await make_site(**LIMITED | {"submissions_burst": 1})
    first = await site.submit(**sent_from("2001:db8::1"))
    neighbour = await site.submit(**sent_from("2001:db8::ffff:2"))
    stranger = await site.submit(**sent_from("2001:db8:0:1::1"))
    assert [first.status, neighbour.status, stranger.status] == [202, 429, 202]


async def test_a_stranger_cannot_lend_itself_another_address(make_site: MakeSite) -> None:
    site = await make_site(**LIMITED | {"submissions_burst": 1})
    forged = [await site.submit(**sent_from(f"203.0.113.{i}, 198.51.100.1")) for i in range(2)]
    assert [answer.status for answer in forged] == [202, 429]


async def test_this_machine_and_a_limit_of_zero_are_not_counted(make_site: MakeSite) -> None:
    here = await make_site(submissions_per_minute=1, submissions_burst=1)
    off = await make_site(**LIMITED | {"submissions_per_minute": 0, "submissions_burst": 1})
    answers = await asyncio.gather(*(here.submit() for _ in range(3)))
    answers += await asyncio.gather(*(off.submit(**ALICE) for _ in range(3)))
    assert {answer.status for answer in answers} == {202}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),  # a program
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "none"}, 202),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://www.example.com"}, 202),
    ],
)
async def test_what_a_browser_says_of_where_the_form_was(
    make_site: MakeSite, headers: Headers, status: int
) -> None:
    site = await make_site(allowed_origins=["https://www.example.com"])
    assert (await site.submit(**headers)).status == status


async def test_an_old_browser_names_only_the_origin(make_site: MakeSite) -> None:
    site = await make_site()
    own = str(site.client.make_url("/").origin())
    assert (await site.submit(Origin=own)).status == 202
    assert (await site.submit(Origin="http://other.example")).status == 403


@pytest.mark.parametrize("path", ["/", "/thank-you"])
async def test_only_the_firms_pages_may_frame_the_form(make_site: MakeSite, path: str) -> None:
    site = await make_site(allowed_origins=["https://www.example.com"])
    policy = (await site.client.get(path)).headers["Content-Security-Policy"]
    assert "frame-ancestors 'self' https://www.example.com" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", ["/", "/thank-you", "/docs", "/openapi.json", "/readyz", "/nope"])
async def test_every_answer_is_hardened(make_site: MakeSite, path: str) -> None:
    answer = await (await make_site()).client.get(path)
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Referrer-Policy"] in {"no-referrer", "same-origin"}
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors" in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers
    assert "Strict-Transport-Security" not in headers


def test_the_defaults_leave_room_for_an_office_full_of_people() -> None:
    settings = IntakeSettings()
    assert settings.submissions_burst >= 60
    assert settings.submissions_per_minute >= 30
