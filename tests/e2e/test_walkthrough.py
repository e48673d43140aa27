"""What docs/walkthrough.md says works, block by block, in a shell."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.support.up import Up

WALKTHROUGH = Path(__file__).parents[2] / "docs" / "walkthrough.md"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_the_walkthrough_works_as_written(up: Up, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", WALKTHROUGH.read_text(), re.DOTALL)
    assert len(blocks) == 7
    places = {
        "FORM": up.url("form"),
        "INBOX": up.url("inbox"),
        "MAILS": up.url("mails"),
        "PASSWORD": up.password,
    }
    where = blocks[0]
    for name, value in places.items():
        where, count = re.subn(rf"^{name}=.*$", f"{name}='{value}'", where, flags=re.MULTILINE)
        assert count == 1
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", "\n".join([where, *blocks[1:]]),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "\nsame\n" in output
    assert "\nREACHED_OUT\n" in output
    assert '"type": "LeadSubmitted"' in output
    assert '"type": "LeadReachedOut"' in output
    assert "Called, meeting on Monday." in output
