"""Ports for the servers of a test."""

import os
import random
import socket
from itertools import count
from typing import Final

_FIRST: Final = 20_000
_EACH: Final = 1_500
_WORKERS: Final = 8

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_next = count(random.randrange(_EACH))  # noqa: S311 - another run may have begun at the beginning


def free_port() -> int:
    """A port that was free a moment ago, and that nobody is given by chance.

    It lies below the ports that the system gives to connections (from 32768 on Linux), and each
    worker has a range of its own: what was free is so still when a server starts there, and when
    it starts there again.
    """
    while True:
        port = _FIRST + _worker * _EACH + next(_next) % _EACH
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
