"""A real clamd for a test: its own process, folder and signature; no service, no download.

The one signature knows the EICAR test file, anywhere in a file. That text never stands whole in
our sources: a virus scanner on a developer's machine would take them away.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from services.leads.scanning.clamd import Clamd, parse_address
from services.leads.scanning.replies import ClamdAway
from tests.support.ports import free_port

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Test.Eicar.UNOFFICIAL"
"""How clamd names what its own signature found: those of a file of one's own are not official."""
_NOBODY = 65534
_ELSEWHERE = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def binary() -> str:
    """Where clamd is; a test that needs it fails when there is none."""
    path = f"{os.environ.get('PATH', '')}:{_ELSEWHERE}"
    found = shutil.which(os.environ.get("CLAMD_BIN") or "clamd", path=path)
    assert found, "no clamd found: apt-get install clamav-daemon, or set CLAMD_BIN"
    return found


@dataclass
class TestClamd:
    """One clamd that can be ended and started again at the same place.

    Attributes:
        folder: of its own; clamd's user can write there.
        tcp: on a port of this machine instead of a Unix socket.
        stream_max: `StreamMaxLength`.
    """

    __test__ = False

    folder: Path
    tcp: bool = False
    stream_max: str = "25M"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}" if self.tcp else f"unix://{self.folder}/socket"

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._write()
        self.process = self._spawned()
        end = monotonic() + 30
        while not await self.answers():
            said = (self.folder / "log").read_text(errors="replace")
            assert self.process.poll() is None, f"clamd has ended: {said}"
            assert monotonic() < end, f"clamd does not answer: {said}"
            await asyncio.sleep(0.02)

    async def answers(self) -> bool:
        try:
            return bool(await Clamd(parse_address(self.url)).version())
        except ClamdAway:
            return False

    async def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        (self.folder / "socket").unlink(missing_ok=True)

    def _spawned(self) -> subprocess.Popen[bytes]:
        lower: dict[str, Any] = {}
        if os.getuid() == 0:  # it is never root's process, also where the tests are
            lower = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, _NOBODY, _NOBODY)
        command = [binary(), f"--config-file={self.folder}/clamd.conf"]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **lower)

    def _write(self) -> None:
        signatures = self.folder / "signatures"
        signatures.mkdir(exist_ok=True)
        (signatures / "test.ndb").write_text(f"Test.Eicar:0:*:{EICAR.hex()}\n")
        (self.folder / "temporary").mkdir(exist_ok=True)
        where = (
            f"TCPSocket {self.port}\nTCPAddr 127.0.0.1"
            if self.tcp
            else f"LocalSocket {self.folder}/socket"
        )
        (self.folder / "clamd.conf").write_text(
            f"Foreground yes\n{where}\nStreamMaxLength {self.stream_max}\n"
            f"DatabaseDirectory {signatures}\nTemporaryDirectory {self.folder}/temporary\n"
            "MaxThreads 4\n"
        )


@asynccontextmanager
async def clamd(
    *, tcp: bool = False, stream_max: str = "25M", running: bool = True
) -> AsyncIterator[TestClamd]:
    """A clamd for the time of a test, in a folder that its user may enter."""
    with tempfile.TemporaryDirectory(prefix="leadlog-clamd-") as folder:
        one = TestClamd(Path(folder), tcp=tcp, stream_max=stream_max)
        try:
            if running:
                await one.start()
            yield one
        finally:
            await one.stop()
