"""A key that is somebody else's, or nobody's, is a clear line, not a silent wait."""

import asyncio

from services.cli.nats_keys import new_seed
from services.cli.nats_server import NatsServer
from tests.integration.chassis.processes import Service


async def test_a_service_with_another_ones_key_ends_and_says_why(server: NatsServer) -> None:
    service = await Service.start(
        "services.intake",
        log_format="json",
        nats_url=server.url,
        nats_nkey_seed=server.seeds["notifier"],
    )
    code, lines, output = await service.ended()
    assert code != 0
    [line] = [
        one for one in lines if one["event"] == "nats: this key or password is another user's"
    ]
    assert "the seed of the user 'intake' in LEADLOG_NATS_NKEY_SEED" in line["advice"]
    assert server.seeds["notifier"] not in output


async def test_a_key_that_the_server_does_not_know_is_named_without_being_shown(
    server: NatsServer,
) -> None:
    seed = new_seed()
    service = await Service.start(
        "services.intake", log_format="json", nats_url=server.url, nats_nkey_seed=seed
    )
    assert service.process.stdout is not None
    output = ""
    async with asyncio.timeout(20):
        while "nats: login refused" not in output:
            read = (await service.process.stdout.readline()).decode()
            assert read, output
            output += read
    assert "check LEADLOG_NATS_NKEY_SEED" in output
    assert seed not in output
    await service.kill()


async def test_a_seed_that_is_none_is_a_setting_that_is_not_valid(server: NatsServer) -> None:
    service = await Service.start(
        "services.intake", nats_url=server.url, nats_nkey_seed="SUshort-and-secret"
    )
    code, _, output = await service.ended()
    assert code == 2
    assert "LEADLOG_NATS_NKEY_SEED: a user's nkey seed begins with SU" in output
    assert "short-and-secret" not in output
