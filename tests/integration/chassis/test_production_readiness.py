"""A service on a lazy server says that it is not fit for production, and loudly."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.chassis.processes import Service, until
from tests.support.nats import NatsServer, provisioned, with_test_user
from tests.support.ports import free_port


@pytest.mark.parametrize("sync", ["always", "2m"])
async def test_the_servers_sync_decides(sync: str, tmp_path: Path) -> None:
    config = with_test_user(tmp_path / "nats-conf")
    common = config.with_name("server.conf")
    shipped = common.read_text()
    assert shipped.count("sync_interval: always") == 1
    common.write_text(shipped.replace("sync_interval: always", f"sync_interval: {sync}"))
    server = NatsServer(
        store=tmp_path / "js",
        port=free_port(),
        http_port=free_port(),
        config=config,
    )
    await server.start()
    try:
        async with provisioned(server):
            service = await Service.start(
                "services.intake",
                environment="production",
                nats_url=server.url,
                nats_monitor_url=server.http_url,
                nats_nkey_seed=server.seeds["intake"],
                log_format="json",
            )
            async with asyncio.timeout(40):
                await service.ready()
                document = await checked(service)
            service.process.terminate()
            code, lines, _ = await service.ended()
    finally:
        await server.kill()
    assert code == 0
    loud = [line for line in lines if line["event"].startswith("not fit for production")]
    if sync == "always":
        assert document["production_ready"] is True
        assert loud == []
    else:
        assert document["production_ready"] is False
        assert "sync_interval: always" in document["production_faults"][0]
        assert [line["level"] for line in loud] == ["error"]
    assert document["status"] == "ready"


async def checked(service: Service) -> dict[str, Any]:
    """The document of /readyz once the check has run."""

    async def probe() -> dict[str, Any] | None:
        async with aiohttp.ClientSession() as session:
            document = dict(await (await session.get(f"{service.url}/readyz")).json())
        early = document["production_faults"] == ["it has not been checked yet"]
        return None if early else document

    return await until(probe)
