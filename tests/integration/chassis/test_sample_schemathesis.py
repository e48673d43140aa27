"""The OpenAPI document tells the truth: schemathesis tries to prove the opposite."""

import asyncio
import sys
from pathlib import Path

from tests.integration.chassis.processes import Service
from tests.unit.chassis.sample import TOKEN


async def test_the_sample_service_does_what_its_document_says(tmp_path: Path) -> None:
    service = await Service.start("tests.integration.chassis.sample_service")
    async with asyncio.timeout(100):
        await service.ready()
        run = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{service.url}/openapi.json",
            f"--header=Authorization: Bearer {TOKEN}",
            "--checks=all",
            "--max-examples=40",
            "--no-color",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await run.communicate()

    service.process.terminate()
    code, lines, _ = await service.ended()
    assert run.returncode == 0, output.decode()
    assert code == 0
    assert [line for line in lines if line["event"] == "unexpected error"] == []
