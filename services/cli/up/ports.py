"""Which ports ``leadlog up`` uses, and whether they are free."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace


class PortTaken(Exception):
    """Some ports are in use; the text names each option and a way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One port for each thing that listens; each is an option ``--<name>-port``."""

    intake: int = 8080
    leads: int = 8081
    notifier: int = 8082
    mail: int = 8025
    smtp: int = 1025
    nats: int = 4222
    nats_http: int = 8222
    intake_metrics: int = 9080
    leads_metrics: int = 9081
    notifier_metrics: int = 9082


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there at this moment."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            return False
    return True


def free_port(taken: set[int], host: str = "127.0.0.1") -> int:
    """A free port that is not in ``taken``, and is in it afterwards."""
    while True:
        with socket.socket() as one:
            one.bind((host, 0))
            port: int = one.getsockname()[1]
        if port not in taken:
            taken.add(port)
            return port


def with_free_ports(ports: Ports) -> Ports:
    """The same, with each port that has its default replaced by a free one."""
    taken: set[int] = set()
    defaults = Ports()
    free = {
        field.name: free_port(taken)
        for field in fields(ports)
        if getattr(ports, field.name) == getattr(defaults, field.name)
    }
    return replace(ports, **free)


def check(ports: Ports) -> None:
    """Make sure that every port can be used.

    Raises:
        PortTaken: some are in use, or two are the same.
    """
    numbers = {field.name: getattr(ports, field.name) for field in fields(ports)}
    twice = {number for number in numbers.values() if list(numbers.values()).count(number) > 1}
    if twice:
        raise PortTaken(f"Port {min(twice)} is given twice; each part needs a port of its own.")
    in_use = {name: number for name, number in numbers.items() if not is_free(number)}
    if in_use:
        raise PortTaken(_way_out(in_use))


@contextmanager
def held(ports: Ports, host: str = "127.0.0.1") -> Iterator[None]:
    """Keep every port from being handed out to others, also while its server is restarted.

    The kernel gives no program that asks for any free port, or that connects to somewhere, one
    to which a socket is bound. Servers bind with SO_REUSEADDR, as these sockets do, and so can
    still listen there.

    Raises:
        PortTaken: as ``check``.
    """
    with ExitStack() as stack:
        check(ports)
        for field in fields(ports):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):  # taken since the check: its server will say so
                one.bind((host, getattr(ports, field.name)))
        yield


def _way_out(in_use: dict[str, int]) -> str:
    taken = set(in_use.values())
    options = " ".join(
        f"--{name.replace('_', '-')}-port {_near(number, taken)}" for name, number in in_use.items()
    )
    said = "\n".join(
        f"Port {number} ({name.replace('_', ' ')}) is in use by another program."
        for name, number in in_use.items()
    )
    return (
        f"{said}\n\nTo use other ports:\n"
        f'  make run ARGS="{options}"\n'
        f"  (without make: leadlog up {options})\n"
        "or let Leadlog pick free ones for everything:\n"
        '  make run ARGS="--free-ports"\n'
        "  (without make: leadlog up --free-ports)"
    )


def _near(number: int, taken: set[int]) -> int:
    """A free port that is easy to remember, such as 8090 for 8080."""
    for port in range(number + 10, min(number + 1000, 65536), 10):
        if port not in taken and is_free(port):
            taken.add(port)
            return port
    return free_port(taken)
