import socket
from dataclasses import astuple, replace

import pytest

from services.cli.up.ports import Ports, PortTaken, check, free_port, is_free, with_free_ports


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
