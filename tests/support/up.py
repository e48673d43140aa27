"""Starting everything as ``make run`` does, and talking to it as its users do."""

import asyncio
import json
import os
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp

EMAIL = "attorney@example.com"
Json = dict[str, Any]


@dataclass
class Up:
    """One ``leadlog up`` on a folder of the test's own."""

    data: Path
    process: asyncio.subprocess.Process | None = None
    state: Json = field(default_factory=dict)
    password: str = ""
    output: bytearray = field(default_factory=bytearray)
    _reader: asyncio.Task[None] | None = None

    async def launch(self, *arguments: str, **more: str) -> None:
        """Start it, without waiting until it is ready."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LEADLOG_")}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.main", "up", "--free-ports",
            "--data", str(self.data), *arguments,
            env={**environment, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **more},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert self.process.stdout is not None
        self._reader = asyncio.create_task(self._read(self.process.stdout))

    async def start(self, *arguments: str, **more: str) -> None:
        """Start it and wait until it says that it runs; ``more`` goes into its environment."""
        await self.launch(*arguments, **more)
        await self.until(self._running, "leadlog up did not get ready", 90)
        self.state = self.read_state()
        if found := re.search(r"Password\s+(\S+)\s*$", self.text, re.MULTILINE):
            self.password = found[1]

    def read_state(self) -> Json:
        state: Json = json.loads((self.data / "up.json").read_text())
        return state

    def _running(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.text
        return (self.data / "up.json").exists() and "Ctrl-C stops everything" in self.text

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(4096):
            self.output += chunk

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.output.decode(errors="replace")

    def url(self, name: str) -> str:
        return str(self.state["urls"][name])

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, as Ctrl-C does; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        assert self.process is not None
        async with asyncio.timeout(90):
            code = await self.process.wait()
        if self._reader is not None:
            await self._reader
        return code

    async def until(self, condition: Any, otherwise: str, seconds: float = 30) -> None:
        """Wait for a condition; fail with words and what was printed."""
        end = monotonic() + seconds
        while True:
            held = condition()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return
            assert monotonic() < end, f"{otherwise}\n{self.text}{self.logs()}"
            await asyncio.sleep(0.05)

    def logs(self) -> str:
        """The ends of all logs, for a failure."""
        return "".join(
            f"\n--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted((self.data / "logs").glob("*.log"))
        )

    def pid_of(self, pattern: str) -> int:
        """The process id of a child of ours, by what stands on its command line."""
        assert self.process is not None
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and pattern in command:
                return int(folder.name)
        return 0


class Person:
    """Somebody with an HTTP client: a prospect, or an attorney once logged in."""

    def __init__(self, up: Up, session: aiohttp.ClientSession) -> None:
        self.up = up
        self.session = session
        self.token = ""

    async def submit(
        self,
        name: str,
        resume: bytes,
        *,
        key: str | None = None,
        file: tuple[str, str] = ("cv.pdf", "application/pdf"),
    ) -> tuple[int, Json]:
        """Send the form as a script would; ``file`` is the resume's name and media type."""
        form = aiohttp.FormData()
        form.add_field("first_name", name)
        form.add_field("last_name", "Example")
        form.add_field("email", f"{name.lower()}@example.org")
        form.add_field("resume", resume, filename=file[0], content_type=file[1])
        headers = {"Idempotency-Key": key} if key else {}
        async with self.session.post(
            f"{self.up.url('form')}/leads", data=form, headers=headers
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def submit_until_taken(self, name: str, resume: bytes) -> str:
        """Send it again, with one key, until it is acknowledged, as the embed script will."""
        taken: Json = {}

        async def sent() -> bool:
            try:
                status, body = await self.submit(name, resume, key=f"key-of-{name}")
            except aiohttp.ClientError:
                return False
            taken.update(body)
            return status == 202

        await self.up.until(sent, "the submission was not taken", 60)
        return str(taken["lead_id"])

    async def log_in(self) -> None:
        async with self.session.post(
            f"{self.up.url('inbox')}/auth/token",
            data={"grant_type": "password", "username": EMAIL, "password": self.up.password},
        ) as answer:
            assert answer.status == 200, await answer.text()
            self.token = (await answer.json())["access_token"]

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(
            f"{self.up.url('inbox')}{path}",
            headers={"Authorization": f"Bearer {self.token}", **headers},
        ) as answer:
            if "json" in answer.headers["Content-Type"]:
                return answer.status, await answer.json(content_type=None)
            return answer.status, await answer.read()

    async def post(self, path: str, body: Json) -> tuple[int, Any, str]:
        async with self.session.post(
            f"{self.up.url('inbox')}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        ) as answer:
            position = answer.headers.get("Leadlog-Position", "")
            return answer.status, await answer.json(content_type=None), position

    async def lead_ids(self) -> set[str]:
        """Every lead that the inbox lists, page by page."""
        found: set[str] = set()
        cursor = ""
        while True:
            status, page = await self.get(f"/leads?limit=200{cursor}")
            assert status == 200, page
            found |= {item["id"] for item in page["items"]}
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def mails(self) -> list[str]:
        """The source of every mail that the SMTP server got."""
        folder = self.up.data / "mails"
        return [path.read_text(errors="replace") for path in sorted(folder.glob("*.eml"))]

    async def until_mailed(self, address: str, count: int = 1) -> None:
        await self.up.until(
            lambda: sum(f"To: {address}" in mail for mail in self.mails()) >= count,
            f"no mail to {address}",
            60,
        )
