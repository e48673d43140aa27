"""The OpenAPI document tells the truth: schemathesis tries to prove the opposite."""

import asyncio
import os
import sys
from pathlib import Path

import jwt
import pytest

from services.leads.auth.permissions import Role
from tests.integration.leads.world import World

HOOKS = "tests.integration.leads.schemathesis_hooks"
# A schema cannot say which cursors were handed out, which passwords are right or which key
# was used before, so not all data that fits it is accepted; every other check applies.
EXCEPT = "positive_data_acceptance"
# After it every answer is 401, and nothing else would be tried; test_login_api.py has it.
ENDS_ITSELF = "log_out"


@pytest.mark.timeout(600)
async def test_the_service_does_what_its_document_says(world: World, tmp_path: Path) -> None:
    client = await world.replica(position_wait_seconds=0.2)
    attorney = await world.attorney(client, role=Role.ADMIN)
    lead = await world.submit()
    session = jwt.decode(attorney.access, options={"verify_signature": False})["sid"]
    env = os.environ | {
        "SCHEMATHESIS_HOOKS": HOOKS,
        "LEADLOG_TEST_LEAD": str(lead),
        "LEADLOG_TEST_OWN": f"{attorney.account_id} {session} {session.rpartition('.')[2]}",
    }
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        "run",
        str(client.make_url("/openapi.json")),
        "--checks=all",
        f"--exclude-checks={EXCEPT}",
        f"--exclude-operation-id={ENDS_ITSELF}",
        "--max-examples=25",
        f"--header=Authorization: Bearer {attorney.access}",
        "--seed=1",
        "--no-color",
        cwd=tmp_path,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await run.communicate()
    assert run.returncode == 0, output.decode()
    answer = await attorney.get(f"/leads/{lead}")
    assert answer.status == 200, f"its own login did not last: {await answer.text()}"
    assert (await answer.json())["status"] == "REACHED_OUT", "no command it made was taken"
