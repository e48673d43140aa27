"""How ``leadlog up`` starts, fails and ends, whatever happens to it."""

import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests.support.files import pdf
from tests.support.up import Person, Up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
RESUME = pdf("Ada")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_it_starts_again_right_after_it_was_killed(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    await up.start()
    async with aiohttp.ClientSession() as session:
        lead = await Person(up, session).submit_until_taken("Ada", RESUME)
    assert up.process is not None
    old = [int(pid) for pid in up.state["pids"].values()]
    up.process.kill()
    await up.process.wait()
    (up.data / "up.json").unlink()

    again = Up(up.data, password=up.password)
    try:
        await again.start()
        # It waited for them: two servers on one store would spoil it.
        assert not any(alive(pid) for pid in old)
        async with aiohttp.ClientSession() as session:
            person = Person(again, session)
            await person.log_in()
            await again.until(lambda: _has(person, lead), "the lead is gone")
    finally:
        assert await again.stop() == 0


async def _has(person: Person, lead: str) -> bool:
    return lead in await person.lead_ids()


async def test_a_second_ctrl_c_ends_what_hangs(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    await up.start()
    children = [int(pid) for pid in up.state["pids"].values()]
    os.kill(up.state["pids"]["intake"], signal.SIGSTOP)  # it will not end when asked
    assert up.process is not None
    up.process.send_signal(signal.SIGINT)
    await up.until(lambda: "Stopping" in up.text, "the first Ctrl-C was not heard")
    began = time.monotonic()
    assert await up.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15, "it waited for the one that hangs"
    assert not any(alive(pid) for pid in children)


async def test_ctrl_c_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    await up.launch()
    await up.until((up.data / "logs" / "intake.log").exists, "the services were not started")
    children = [up.pid_of(part) for part in ("nats-server", "services.intake")]
    assert all(children)
    assert await up.stop() == 0
    assert "Leadlog is running" not in up.text
    assert "Traceback" not in up.text
    assert not any(alive(pid) for pid in children)
    assert not (up.data / "up.json").exists()


async def test_a_wrong_setting_is_told_in_words_and_nothing_is_left_running(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    await up.launch(LEADLOG_NOTIFIER_SMTP_PROT="25")
    assert await up.ended() == 1
    assert "notifier did not start: it ended (exit code 2)." in up.text
    assert "LEADLOG_NOTIFIER_SMTP_PROT is not a setting" in up.text
    assert "Traceback" not in up.text
    assert up.pid_of("") == 0


async def test_the_state_file_names_a_restarted_process(up: Up) -> None:
    old = up.state["pids"]["leads"]
    os.kill(old, signal.SIGKILL)
    await up.until(lambda: up.read_state()["pids"]["leads"] not in {old, None}, "not told")
    assert up.read_state()["pids"]["leads"] == up.pid_of("services.leads")
    assert (up.data / "up.json").stat().st_mode & 0o777 == 0o600


async def test_the_logs_come_to_the_terminal_only_when_asked(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    try:
        await up.start("--verbose")
        for name in ("nats-server", "mail-catcher", "intake", "leads", "notifier"):
            assert f"{name:>12} | " in up.text
            assert (up.data / "logs" / f"{name}.log").stat().st_size > 0
    finally:
        assert await up.stop() == 0
    quiet = Up(up.data)
    await quiet.start()
    assert await quiet.stop() == 0
    assert "intake | " not in quiet.text
    assert "Sign in with an account you have" in quiet.text
