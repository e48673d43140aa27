import re
import socket
from dataclasses import astuple, replace

import pytest

from services.cli.up.ports import Ports, PortTaken, check, free_port, held, is_free, with_free_ports


def test_free_ports_replace_the_usual_ones_and_keep_what_was_asked_for() -> None:
    asked = replace(Ports(), leads=18081)
    found = with_free_ports(asked)
    assert found.leads == 18081
    assert not set(astuple(found)) & set(astuple(Ports()))
    assert len(set(astuple(found))) == len(astuple(found))


def test_a_port_given_twice_is_refused() -> None:
    ports = with_free_ports(Ports())
    with pytest.raises(PortTaken, match=f"Port {ports.intake} is given twice"):
        check(replace(ports, leads=ports.intake))


def test_every_port_in_use_is_named_with_its_option() -> None:
    ports = with_free_ports(Ports())
    check(ports)
    with socket.socket() as one, socket.socket() as two:
        for number, held in ((ports.nats, one), (ports.intake_metrics, two)):
            held.bind(("127.0.0.1", number))
            held.listen()
            assert not is_free(number)
        with pytest.raises(PortTaken) as caught:
            check(ports)
    text = str(caught.value)
    assert f"Port {ports.nats} (nats) is in use" in text
    assert "--nats-port " in text
    assert "--intake-metrics-port " in text


def test_free_ports_are_all_different() -> None:
    taken: set[int] = set()
    found = [free_port(taken) for _ in range(20)]
    assert taken == set(found)
    assert len(taken) == 20


def test_another_port_that_is_easy_to_remember_is_proposed() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        number = one.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            check(replace(with_free_ports(Ports()), intake=number))
    [proposed] = re.findall(r'make run ARGS="--intake-port (\d+)"', str(caught.value))
    assert is_free(int(proposed))
    assert f"leadlog up --intake-port {proposed}" in str(caught.value)


def test_a_held_port_is_for_its_server_only() -> None:
    ports = with_free_ports(Ports())
    with held(ports):
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", ports.nats))
        for _ in range(2):  # and again after a restart
            address = ("127.0.0.1", ports.nats)
            with socket.create_server(address) as server, socket.create_connection(address):
                server.accept()[0].close()
    check(ports)
