"""The OpenAPI document tells the truth: schemathesis tries to prove the opposite."""

import asyncio
import os
import sys
from pathlib import Path

from nats.js import JetStreamContext

from tests.integration.chassis.processes import Service
from tests.integration.intake.conftest import submitted
from tests.support.nats import NatsServer

HOOKS = "tests.integration.intake.schemathesis_hooks"
# A schema cannot say what makes an address or a document valid, so not all data that fits it
# is accepted; every other check applies.
EXCEPT = "positive_data_acceptance"


async def test_the_service_does_what_its_document_says(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> None:
    service = await Service.start(
        "services.intake",
        nats_url=nats_server.url,
        nats_nkey_seed=nats_server.seeds["intake"],
        log_format="json",
    )
    async with asyncio.timeout(100):
        await service.ready()
        run = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{service.url}/openapi.json",
            "--checks=all",
            f"--exclude-checks={EXCEPT}",
            "--max-examples=40",
            "--seed=1",
            "--no-color",
            cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": HOOKS},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await run.communicate()
    service.process.terminate()
    code, lines, _ = await service.ended()
    assert run.returncode == 0, output.decode()
    assert code == 0
    assert [line for line in lines if line["event"] == "unexpected error"] == []
    assert await submitted(js), "no form it made was good enough to be taken"
