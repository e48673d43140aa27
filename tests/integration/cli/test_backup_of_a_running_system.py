"""A backup while the whole system is at work, and the whole system again from the file."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.support.cli import leadlog
from tests.support.files import pdf
from tests.support.up import Person, Up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def submit_until(person: Person, stop: asyncio.Event, taken: dict[str, bytes]) -> None:
    """Submit leads, each with a resume of its own, until told to stop."""
    while not stop.is_set():
        name = f"P{len(taken)}x{id(asyncio.current_task()) % 1000}"
        resume = pdf(name * 200)
        status, answer = await person.submit(name, resume, key=f"key-of-{name}")
        assert status == 202, answer
        taken[answer["lead_id"]] = resume


async def back_up_under_load(up: Up, file: Path, taken: dict[str, bytes]) -> set[str]:
    """Make a backup amid submissions; the leads that were acknowledged before it began."""
    stop = asyncio.Event()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        person = Person(up, session)
        for _ in range(3):
            group.create_task(submit_until(person, stop, taken))
        await up.until(lambda: len(taken) >= 30, "the submissions do not get on")
        acknowledged = set(taken)
        code, said = await leadlog("backup", file, "--data", up.data)
        stop.set()
    assert code == 0, said
    assert len(taken) > len(acknowledged), "nothing went on meanwhile"
    return acknowledged


async def reached_out(person: Person, lead: str) -> bool:
    status, _, _ = await person.post(f"/leads/{lead}/reached-out", {"channel": "email"})
    return status == 200


async def test_the_whole_system_comes_back_from_a_backup_made_under_load(tmp_path: Path) -> None:
    file, taken = tmp_path / "backup.tar", dict[str, bytes]()
    up = Up(tmp_path / "data")
    await up.start()
    try:
        async with aiohttp.ClientSession() as session:
            person = Person(up, session)
            first = await person.submit_until_taken("Ada", pdf("Ada"))
            await person.until_mailed("ada@example.org")
            await person.log_in()
            await up.until(lambda: reached_out(person, first), "the lead does not show up")
        acknowledged = await back_up_under_load(up, file, taken)
    finally:
        assert await up.stop() == 0

    again = Up(tmp_path / "restored", password=up.password)
    code, said = await leadlog("restore", file, "--data", again.data)
    assert code == 0, said
    code, said = await leadlog("verify", "--data", again.data)
    assert code == 0, said
    await again.start()
    try:
        again.password = up.password  # the account came back too, so none was made
        async with aiohttp.ClientSession() as session:
            person = Person(again, session)
            await person.log_in()
            await again.until(lambda: holds(person, acknowledged | {first}), "leads are missing")
            found = await person.lead_ids()
            assert found <= {*taken, first}
            for lead in found - {first}:
                assert await person.get(f"/leads/{lead}/resume") == (200, taken[lead])
            _, lead = await person.get(f"/leads/{first}")
            assert lead["status"] == "REACHED_OUT"

            # A form that is sent again is known, far beyond JetStream's own memory.
            assert await person.submit_until_taken("Ada", pdf("Ada")) == first
            new = await person.submit_until_taken("Eve", pdf("Eve"))
            await person.until_mailed("eve@example.org")
            await again.until(lambda: holds(person, {new}), "a new lead does not show up")
        assert not [mail for mail in person.mails() if "To: ada@example.org" in mail]
    finally:
        assert await again.stop() == 0


async def holds(person: Person, leads: set[str]) -> bool:
    return leads <= await person.lead_ids()
