"""The operator's commands as an operator runs them: in a shell, on a real nats-server."""

import asyncio
import os
import re
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from services.cli.nats_keys import new_seed
from services.leads.auth.accounts import account_key, find
from services.leads.auth.passwords import Passwords
from services.leads.auth.permissions import Role
from tests.support.nats import NatsServer, provisioned, start_nats_server

Outcome = tuple[int, str]


async def leadlog(*arguments: str | Path, **environment: str) -> Outcome:
    """Run the command; its exit code and what it printed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LEADLOG_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.main", *map(str, arguments),
        env=clean | {"COLUMNS": "160", "NO_COLOR": "1"} | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def reach(server: NatsServer) -> dict[str, str]:
    return {
        "LEADLOG_NATS_URL": server.url,
        "LEADLOG_NATS_NKEY_SEED": server.seeds["operator"],
    }


async def password_fits(js: JetStreamContext, email: str, password: str) -> bool:
    stored = await find(Bucket(js, "ACCOUNTS"), account_key(email))
    assert stored is not None
    return await Passwords().verify(stored.account.password_hash, password)


async def test_accounts_are_made_shown_and_changed(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server, email = reach(nats_server), "lena@firm.example"
    assert (await leadlog("account", "list", **server))[1].startswith("There is no account yet")

    code, said = await leadlog("account", "create", email, "--name", "Lena Weber", **server)
    assert code == 0
    assert "its role is admin" in said
    first = re.findall(r"Password \(shown only now\): (\S+)", said)[0]
    assert await password_fits(js, email, first)

    code, said = await leadlog("account", "list", **server)
    assert code == 0
    assert email in said
    assert "Lena Weber" in said

    code, said = await leadlog("account", "set-password", email, **server)
    second = re.findall(r"Password \(shown only now\): (\S+)", said)[0]
    assert await password_fits(js, email, second)
    assert not await password_fits(js, email, first)

    code, said = await leadlog("account", "role", email, "viewer", "--assigned-only", **server)
    assert (code, said) == (0, "The account's role is viewer, assigned leads only.\n")
    assert (await leadlog("account", "deactivate", email, **server))[0] == 0
    stored = await find(Bucket(js, "ACCOUNTS"), account_key(email))
    assert stored is not None
    assert not stored.account.active
    assert (stored.account.role, stored.account.assigned_only) == (Role.VIEWER, True)
    assert (await leadlog("account", "activate", email, **server))[0] == 0


async def test_what_cannot_be_done_is_said_in_words(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server = reach(nats_server)
    assert await leadlog("account", "set-password", "no@firm.example", **server) == (
        1,
        "leadlog: there is no account with this address\n",
    )
    code, said = await leadlog("account", "create", "nonsense", **server)
    assert code == 1
    assert "not an email address" in said
    for email in ("first@firm.example", "a@firm.example"):
        code, said = await leadlog("account", "create", email, **server)
        assert code == 0
    assert "its role is attorney" in said, "only the first account is an admin by default"
    code, said = await leadlog("account", "create", "a@firm.example", **server)
    assert (code, said) == (1, "leadlog: there is an account with this address already\n")


async def test_a_server_that_is_away_or_refuses_is_named_with_a_way_out(
    nats_server: NatsServer,
) -> None:
    wrong = new_seed()
    refused = reach(nats_server) | {"LEADLOG_NATS_NKEY_SEED": wrong}
    code, said = await leadlog("provision", **refused)
    assert code == 1
    assert "NATS refused the key" in said
    assert wrong not in said

    await nats_server.kill()
    for command in ("provision", "rebuild", "verify"):
        code, said = await leadlog(command, **reach(nats_server))
        assert code == 1
        assert f"No NATS server answers at {nats_server.url}" in said
        assert "Traceback" not in said


async def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    code, said = await leadlog("provision", LEADLOG_NATS_TLS_CA=str(tmp_path / "ca.pem"))
    assert code == 1
    assert "LEADLOG_NATS_TLS_CA" in said
    assert "Traceback" not in said


async def test_a_document_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    target = tmp_path / "none" / "document"
    assert await leadlog("asyncapi", "--output", target) == (
        1,
        f"leadlog: Cannot write {target}: No such file or directory\n",
    )


async def test_provisioning_creates_reports_and_applies(nats_server: NatsServer) -> None:
    server = reach(nats_server)
    code, said = await leadlog("provision", **server)
    assert code == 0
    assert "created  LEADS" in said
    assert await leadlog("provision", **server) == (
        0,
        "Everything is there and as it should be.\n",
    )

    async with provisioned(nats_server) as js:
        info = await js.stream_info("KV_SESSIONS")
        await js.update_stream(replace(info.config, max_age=7200.0))
    code, said = await leadlog("provision", **server)
    assert code == 1
    assert re.search(r"KV_SESSIONS\s.*max_age.*7200", said)
    code, said = await leadlog("provision", "--apply", **server)
    assert (code, said) == (0, "changed  KV_SESSIONS\n")


async def test_commands_on_a_data_folder_start_its_server_for_their_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "nats-password").write_text("test-password")
    server = await start_nats_server(data)  # its store is <data>/jetstream
    async with provisioned(server):
        await server.stop()

    code, said = await leadlog("account", "create", "a@firm.example", "--data", data)
    assert code == 0, said
    assert "a@firm.example" in (await leadlog("account", "list", "--data", data))[1]
    code, said = await leadlog("rebuild", "--data", data)
    assert code == 0, said
    assert "up to position 0" in said
    assert (data / "leads.sqlite").exists()
    code, said = await leadlog("verify", "--data", data)
    assert code == 0
    assert "all of it is as it was written" in said


async def test_a_port_that_is_taken_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = await leadlog(
            "up", "--data", tmp_path / "d", "--free-ports", "--leads-port", str(port)
        )
    assert code == 1
    assert f"Port {port} (leads) is in use by another program." in said
    assert re.search(r'make run ARGS="--leads-port \d+"', said)
    assert '--free-ports"' in said
    assert "Traceback" not in said


@pytest.mark.parametrize("service", ["intake", "leads", "notifier"])
async def test_each_service_runs_by_its_command_and_says_what_is_wrong(service: str) -> None:
    code, said = await leadlog(service, LEADLOG_LOG_LEVL="debug")
    assert code == 2
    assert "LEADLOG_LOG_LEVL is not a setting; did you mean LEADLOG_LOG_LEVEL?" in said
    assert "Traceback" not in said


async def test_documents_are_printed_and_written(tmp_path: Path) -> None:
    for arguments, wanted in (
        (("asyncapi",), '"asyncapi": "3.0.0"'),
        (("openapi", "intake"), '"/leads"'),
        (("openapi", "leads"), '"/auth/token"'),
        (("settings",), "LEADLOG_NATS_URL"),
    ):
        code, said = await leadlog(*arguments)
        assert code == 0
        assert wanted in said
        path = tmp_path / "document"
        assert (await leadlog(*arguments, "--output", path))[0] == 0
        assert path.read_text() == said
    assert (await leadlog("openapi", "notifier"))[0] == 1
