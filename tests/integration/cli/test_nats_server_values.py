"""nats-server reads environment values as configuration: any path and name must pass."""

from pathlib import Path

import pytest

from tests.support.nats import NatsServer, connect, with_test_user
from tests.support.ports import free_port


@pytest.mark.parametrize("name", ["-dash", "0-80", "5k", "true", 'q"uo\\te', "$x", "#a b"])
async def test_every_path_and_every_name_pass(name: str, tmp_path: Path) -> None:
    store = tmp_path / name / "js"
    server = NatsServer(
        store=store,
        port=free_port(),
        http_port=free_port(),
        name=name.replace(" ", "-"),
        config=with_test_user(tmp_path / "nats-conf"),
    )
    await server.start()
    try:
        client = await connect(server)
        await client.jetstream().account_info()
        assert client.connected_server_version
        await client.close()
        assert (store / "jetstream").exists()
    finally:
        await server.kill()
