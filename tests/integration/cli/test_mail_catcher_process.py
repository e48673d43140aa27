"""The mail catcher as a process: start, stop, start again, and ports that are taken."""

import asyncio
import json
import signal
import smtplib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL


@dataclass
class Running:
    process: asyncio.subprocess.Process
    smtp: URL
    page: URL

    def send(self, subject: str) -> None:
        with smtplib.SMTP(str(self.smtp.host), self.smtp.port or 0) as client:
            client.sendmail("a@x.example", ["b@y.example"], f"Subject: {subject}\r\n\r\nx\r\n")

    async def mails(self) -> list[dict[str, Any]]:
        async with aiohttp.ClientSession() as session, session.get(self.page / "api/mails") as got:
            found: list[dict[str, Any]] = await got.json()
            return found


async def spawn(folder: Path, *, smtp: int = 0, http: int = 0) -> asyncio.subprocess.Process:
    command = ["--smtp-port", str(smtp), "--http-port", str(http), "--folder", str(folder)]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.cli.mail_catcher", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    process = await spawn(folder)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            started = json.loads(await process.stdout.readline())
        yield Running(process, URL(started["smtp"]), URL(started["page"]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly_and_a_restart_keeps_the_mails(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with running(tmp_path / "mails") as first:
        await asyncio.to_thread(first.send, "kept")
        idle = smtplib.SMTP(str(first.smtp.host), first.smtp.port or 0)  # must not hold it up
        first.process.send_signal(number)
        async with asyncio.timeout(10):
            _, errors = await first.process.communicate()
        idle.close()
        assert (first.process.returncode, errors) == (0, b"")
    async with running(tmp_path / "mails") as second:
        assert [mail["subject"] for mail in await second.mails()] == ["kept"]


async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path / "mails") as first:
        await asyncio.to_thread(first.send, "kept")
        first.process.kill()
        await first.process.wait()
    async with running(tmp_path / "mails") as second:
        assert [mail["subject"] for mail in await second.mails()] == ["kept"]


@pytest.mark.parametrize("which", ["smtp", "http"])
async def test_a_taken_port_is_said_and_exits_with_3(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await spawn(tmp_path / "mails", **{which: port})
        async with asyncio.timeout(30):
            _, errors = await process.communicate()
    assert process.returncode == 3
    assert errors.decode().startswith(
        f"mail-catcher: cannot listen on 127.0.0.1:{port}: it is in use"
    )
    assert f"--{which}-port" in errors.decode()


async def test_an_impossible_port_is_said_as_well(tmp_path: Path) -> None:
    process = await spawn(tmp_path / "mails", smtp=70000)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 3
    assert b"Traceback" not in errors


async def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    process = await spawn(tmp_path / "file")
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"--folder" in errors
