"""nats-server reads environment values as configuration: any password and path must pass."""

from pathlib import Path

import pytest

from services.cli.nats_server import NatsServer
from tests.support.nats import connect, free_port


@pytest.mark.parametrize(
    "password", ["-starts-with-a-dash", "0-80", "5k", "true", "12345678", 'q"uo\\te', "$x", "#a b"]
)
async def test_every_password_and_a_path_with_a_space_pass(password: str, tmp_path: Path) -> None:
    server = NatsServer(
        store=tmp_path / "with space" / "js",
        port=free_port(),
        http_port=free_port(),
        password=password,
    )
    await server.start()
    try:
        client = await connect(server)
        await client.jetstream().account_info()
        await client.close()
        assert (tmp_path / "with space" / "js" / "jetstream").exists()
    finally:
        await server.kill()
