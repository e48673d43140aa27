"""The main path over HTTP, on everything that ``make run`` starts."""

import os
import signal
from email import message_from_string
from email.policy import default
from pathlib import Path

import aiohttp
import pytest

from tests.support.files import pdf
from tests.support.up import EMAIL, Person, Up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
RESUME = pdf("The resume of Ada")


async def test_a_lead_goes_from_the_form_to_an_attorney(up: Up, person: Person) -> None:
    async with person.session.get(up.url("form")) as page:
        assert page.status == 200
        assert 'enctype="multipart/form-data"' in await page.text()

    status, answer = await person.submit("Ada", RESUME)
    assert status == 202, answer
    lead = answer["lead_id"]
    await person.until_mailed("ada@example.org")
    await person.until_mailed(EMAIL)
    check_mails(person.mails())

    await person.log_in()
    status, page_of_leads = await person.get("/leads")
    assert status == 200
    assert [item["id"] for item in page_of_leads["items"]] == [lead]
    status, detail = await person.get(f"/leads/{lead}")
    assert (status, detail["status"]) == (200, "PENDING")
    assert await person.get(f"/leads/{lead}/resume") == (200, RESUME)

    status, answer, position = await person.post(
        f"/leads/{lead}/reached-out", {"channel": "phone", "note": "We talked."}
    )
    assert status == 200, answer
    status, detail = await person.get(f"/leads/{lead}", **{"Leadlog-Position": position})
    assert (status, detail["status"]) == (200, "REACHED_OUT")

    async def history() -> list[str]:
        _, entries = await person.get(f"/leads/{lead}/history")
        return sorted(entry["type"] for entry in entries["items"])

    wanted = ["LeadReachedOut", "LeadSubmitted", "NotificationSent", "NotificationSent"]
    await up.until(lambda: holds(history, wanted), "the history is not complete")


async def holds(read: object, wanted: object) -> bool:
    return bool(await read() == wanted)  # type: ignore[operator]


def check_mails(sources: list[str]) -> None:
    mails = [message_from_string(source, policy=default) for source in sources]
    for mail in mails:
        assert mail["Message-ID"]
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_body(("plain",)) is not None
        assert mail.get_body(("html",)) is not None
    assert len({mail["Message-ID"] for mail in mails}) == 2
    alert = next(mail for mail in mails if EMAIL in mail["To"])
    assert alert["Reply-To"] == "Ada Example <ada@example.org>"


async def test_every_part_can_be_killed_and_nothing_is_lost(up: Up, person: Person) -> None:
    await person.log_in()
    leads: dict[str, str] = {}
    parts = ["services.intake", "services.leads", "services.notifier", "nats-server"]
    parts += ["services.cli.mail_catcher"]
    for number, part in enumerate(parts):
        before = f"Before{number}"
        leads[before] = await person.submit_until_taken(before, RESUME)
        killed = up.pid_of(part)
        assert killed, f"{part} does not run"
        os.kill(killed, signal.SIGKILL)
        during = f"During{number}"
        leads[during] = await person.submit_until_taken(during, RESUME)
        await up.until(lambda part=part, old=killed: up.pid_of(part) not in {0, old}, part)

    await up.until(lambda: listed(person, set(leads.values())), "a lead is missing", 60)
    for name, lead in leads.items():
        await person.until_mailed(f"{name.lower()}@example.org")
        assert await person.get(f"/leads/{lead}/resume") == (200, RESUME)
    await person.until_mailed(EMAIL, len(leads))
    assert len(set(leads.values())) == 2 * len(parts)
    assert up.text.count("starting it again") >= len(parts)


async def listed(person: Person, wanted: set[str]) -> bool:
    try:
        return await person.lead_ids() == wanted
    except (aiohttp.ClientError, AssertionError):
        return False


async def test_a_restart_keeps_everything_and_a_stop_leaves_no_process(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    await up.start()
    async with aiohttp.ClientSession() as session:
        lead = await Person(up, session).submit_until_taken("Ada", RESUME)
    children = set(up.state["pids"].values())
    password = up.password
    assert password
    assert len(children) == 5
    assert await up.stop() == 0
    assert not {pid for pid in children if Path(f"/proc/{pid}").exists()}
    assert not (up.data / "up.json").exists()

    again = Up(tmp_path / "data", password=password)
    await again.start()
    try:
        assert again.password == password, "a second first account was made"
        async with aiohttp.ClientSession() as session:
            person = Person(again, session)
            await person.log_in()
            await again.until(lambda: listed(person, {lead}), "the lead is gone")
            assert await person.get(f"/leads/{lead}/resume") == (200, RESUME)
            second = Up(tmp_path / "data")
            with pytest.raises(AssertionError, match="is in use by another `leadlog`"):
                await second.start()
            assert await second.stop() == 1
    finally:
        assert await again.stop(signal.SIGTERM) == 0


async def test_children_end_when_up_is_killed(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    await up.start()
    assert up.process is not None
    children = [int(pid) for pid in up.state["pids"].values()]
    up.process.kill()
    await up.process.wait()
    await up.until(lambda: not any(alive(pid) for pid in children), "some children live on", 60)
    await up.stop()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_no_personal_data_in_any_log(up: Up, person: Person) -> None:
    name = "Zqxmarkedname"
    await person.log_in()
    await person.submit(name, RESUME)
    await person.submit(name, b"\0\1 no resume")
    await person.until_mailed(f"{name.lower()}@example.org")
    await person.until_mailed(EMAIL)
    await person.get(f"/leads?q={name}")
    async with person.session.post(
        f"{up.url('inbox')}/auth/token",
        data={"grant_type": "password", "username": f"{name}@x.example", "password": "Zqxsecret"},
    ) as answer:
        assert answer.status == 400
    logs = "".join(path.read_text() for path in (up.data / "logs").glob("*.log"))
    assert "/leads" in logs
    for secret in ("zqx", EMAIL, up.password, person.token):
        assert secret.lower() not in logs.lower()
