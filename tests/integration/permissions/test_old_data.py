"""Data of versions before the streams had an account of their own."""

from pathlib import Path

import nats

from services.cli.nats_server import NatsServer
from tests.integration.permissions.users import user
from tests.support.nats import shipped_nats_server
from tests.support.ports import free_port

OLD = """
listen: $LEADLOG_NATS_LISTEN
http: $LEADLOG_NATS_HTTP
jetstream { store_dir: $LEADLOG_NATS_STORE }
"""


async def test_streams_of_the_global_account_are_taken_over(tmp_path: Path) -> None:
    config = tmp_path / "old.conf"
    config.write_text(OLD)
    store = tmp_path / "jetstream"  # where `shipped_nats_server` looks
    old = NatsServer(store=store, port=free_port(), http_port=free_port(), config=config)
    await old.start()
    client = await nats.connect(old.url)
    js = client.jetstream()
    await js.add_stream(name="LEADS", subjects=["leads.*.*"])
    await js.publish("leads.x.submission", b"kept")
    await client.close()
    await old.stop()

    new = await shipped_nats_server(tmp_path)
    try:
        async with user(new, "operator") as operator:
            message = await operator.client.jetstream().get_msg("LEADS", 1)
            assert message.data == b"kept"
    finally:
        await new.kill()
