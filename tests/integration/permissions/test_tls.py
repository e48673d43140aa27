"""TLS between NATS, the services and the commands, with the configuration as it is shipped."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
import trustme

from services.cli.nats_server import NatsServer
from tests.integration.chassis.processes import Service
from tests.integration.cli.test_commands import leadlog
from tests.support.cluster import cluster
from tests.support.nats import shipped_nats_server


@dataclass(frozen=True)
class Authority:
    """Certificates for localhost, and who has signed them."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        folder.mkdir(parents=True)
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        (folder / "cert.pem").write_bytes(b"".join(b.bytes() for b in issued.cert_chain_pems))
        return cls(folder)

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def server_environment(self) -> dict[str, str]:
        return {
            "LEADLOG_NATS_TLS_CERT": str(self.folder / "cert.pem"),
            "LEADLOG_NATS_TLS_KEY": str(self.folder / "key.pem"),
            "LEADLOG_NATS_TLS_CA": self.ca,
        }


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "authority")


@pytest.fixture
async def server(tmp_path: Path, authority: Authority) -> AsyncIterator[NatsServer]:
    environment = authority.server_environment()
    server = await shipped_nats_server(tmp_path, "leadlog-tls.conf", **environment)
    yield server
    await server.kill()


def reach(server: NatsServer, user: str, ca: str, scheme: str = "tls") -> dict[str, str]:
    return {
        "LEADLOG_NATS_URL": f"{scheme}://localhost:{server.port}",
        "LEADLOG_NATS_NKEY_SEED": server.seeds[user],
        "LEADLOG_NATS_TLS_CA": ca,
    }


def settings(environment: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("LEADLOG_").lower(): value for name, value in environment.items()}


async def first_line(service: Service, event: str) -> str:
    """The first line of a service's log with these words."""
    assert service.process.stdout is not None
    async with asyncio.timeout(20):
        while event not in (line := (await service.process.stdout.readline()).decode()):
            assert line, "it ended"
    return line


async def test_commands_and_services_connect_by_tls(
    server: NatsServer, authority: Authority
) -> None:
    code, said = await leadlog("provision", **reach(server, "operator", authority.ca))
    assert code == 0, said
    assert "created  LEADS" in said
    service = await Service.start(
        "services.intake", log_format="json", **settings(reach(server, "intake", authority.ca))
    )
    await service.ready()
    service.process.terminate()
    ended, _, output = await service.ended()
    assert ended == 0, output


async def test_who_does_not_speak_tls_is_not_let_in(server: NatsServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert b'"tls_required":true' in await reader.readline()
    writer.write(b'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n')
    async with asyncio.timeout(10):
        rest = await reader.read()
    assert b"PONG" not in rest
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_an_authority_that_is_not_trusted_is_named_with_a_way_out(
    server: NatsServer, tmp_path: Path
) -> None:
    other = Authority.make(tmp_path / "other")
    code, said = await leadlog("provision", **reach(server, "operator", other.ca))
    assert code == 1
    assert "LEADLOG_NATS_TLS_CA" in said
    service = await Service.start(
        "services.intake", log_format="json", **settings(reach(server, "intake", other.ca))
    )
    assert "LEADLOG_NATS_TLS_CA" in await first_line(service, "nats: no TLS connection")
    await service.kill()


async def test_a_url_with_tls_refuses_a_server_without_it(tmp_path: Path) -> None:
    ca = Authority.make(tmp_path / "authority").ca
    plain = await shipped_nats_server(tmp_path)
    try:
        code, said = await leadlog("provision", **reach(plain, "operator", ca))
        assert code == 1, said
        assert "No TLS connection" in said
        service = await Service.start(
            "services.intake", log_format="json", **settings(reach(plain, "intake", ca))
        )
        assert await first_line(service, "nats: no TLS connection")
        await service.kill()
    finally:
        await plain.kill()


async def test_three_nodes_speak_tls_with_each_other(tmp_path: Path, authority: Authority) -> None:
    more = authority.server_environment()
    async with cluster(tmp_path, "cluster-tls.conf", more, authority.ca) as (servers, js):
        ack = await js.publish("$KV.SETTINGS.a", b"1")
        info = await js.stream_info("LEADS")
        assert (ack.seq, info.config.num_replicas) == (1, 3)
        with pytest.raises(ssl.SSLError):
            await nats.connect(
                f"tls://localhost:{servers[0].port}", allow_reconnect=False, connect_timeout=2
            )
