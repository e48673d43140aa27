"""What the operator does to accounts is on the audit trail, without the address."""

import asyncio
import json
from pathlib import Path

import pytest
from nats.js import JetStreamContext
from typer.testing import CliRunner

from libs.chassis.jetstream import get_batch
from libs.events.topology import AUDIT
from services.cli.main import app
from tests.support.nats import NatsServer


@pytest.fixture
def environment(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_NATS_URL", nats_server.url)
    monkeypatch.setenv("LEADLOG_NATS_USER", nats_server.user)
    monkeypatch.setenv("LEADLOG_NATS_PASSWORD", nats_server.password)


@pytest.mark.usefixtures("environment")
async def test_changes_to_an_account_are_noted(js: JetStreamContext, tmp_path: Path) -> None:
    email = "marked.lena@firm.example"
    commands = [["create", email], ["deactivate", email], ["activate", email]]
    for command in [*commands, ["role", email, "viewer"], ["set-password", email]]:
        await run("account", *command, "--data", str(tmp_path))

    messages = await get_batch(js._nc, AUDIT, ">")
    noted = [json.loads(message.data) for message in messages]

    assert [one["action"] for one in noted] == [
        "account.created",
        "account.deactivated",
        "account.activated",
        "account.role-changed",
        "account.password-changed",
    ]
    assert {one["actor"] for one in noted} == {"operator"}
    [target] = {one["target"] for one in noted}
    assert target.startswith("account:")
    assert "marked" not in json.dumps(noted)


async def run(*arguments: str) -> None:
    # The command has an event loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert result.exit_code == 0, result.output
