"""How the operator's commands reach NATS, and how they say that they cannot."""

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import nats
import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats_login import login
from libs.chassis.settings import ServiceSettings, SettingsError, load_settings
from services.cli.nats_keys import OPERATOR
from services.cli.nats_server import NatsServer, NatsServerProblem
from services.cli.up.data import DataFolder, DataFolderProblem
from services.cli.up.ports import free_port

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")

EXIT_FAILED: Final = 1
_CONNECT_SECONDS: Final = 3


class OperatorSettings(ServiceSettings, service="operator"):
    """Where NATS is, for a command; the same variables as for the services."""


class Refused(Exception):
    """A command cannot be done; the text says why and what to do."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; what is expected to fail ends in words and exit code 1."""
    try:
        return asyncio.run(coroutine)
    except (Refused, DataFolderProblem, NatsServerProblem) as error:
        give_up(str(error))
    except (nats.errors.Error, StoreUnavailable, APIError, OSError, TimeoutError) as error:
        give_up(f"NATS cannot be used: {error or type(error).__name__}")


def give_up(text: str) -> NoReturn:
    """End the program with a message and exit code 1."""
    sys.stderr.write(f"leadlog: {text}\n")
    raise SystemExit(EXIT_FAILED)


@asynccontextmanager
async def jetstream(data: Path) -> AsyncIterator[JetStreamContext]:
    """A JetStream context for a command; as ``settings``."""
    async with settings(OperatorSettings, data) as found, connected(found) as js:
        yield js


@asynccontextmanager
async def connected(found: ServiceSettings) -> AsyncIterator[JetStreamContext]:
    """Connect once, without waiting for a server that is away.

    Raises:
        Refused: nobody answers there.
    """
    try:
        client = await nats.connect(
            **login(found, OPERATOR),
            name="leadlog-operator",
            connect_timeout=_CONNECT_SECONDS,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # without it nats-py tries for two minutes
            error_cb=_ignore,
        )
    except SettingsError as error:
        raise Refused(str(error)) from None
    except ssl.SSLError:
        raise Refused(
            f"No TLS connection to {', '.join(found.nats_url)}: the server speaks none, or not "
            "right away (handshake_first, as in deploy/nats/tls.conf), or its certificate is not "
            "of this host, or not signed by whom LEADLOG_NATS_TLS_CA names."
        ) from None
    except (nats.errors.Error, OSError, TimeoutError) as error:
        # nats-py has no class of its own for the server's "Authorization Violation".
        if "authorization" in str(error).lower():
            raise Refused(
                "NATS refused the key. Set LEADLOG_NATS_NKEY_SEED (or LEADLOG_NATS_NKEY_SEED_FILE) "
                "to the operator's seed, or LEADLOG_NATS_USER and LEADLOG_NATS_PASSWORD."
            ) from None
        raise Refused(
            f"No NATS server answers at {', '.join(found.nats_url)}. Start one, or set "
            "LEADLOG_NATS_URL. For a system started with `leadlog up`, name its data folder "
            "with --data."
        ) from None
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def _ignore(_error: Exception) -> None:
    """A failed connection is told by its exception."""


@asynccontextmanager
async def settings(cls: type[S], data: Path, **more: Any) -> AsyncIterator[S]:
    """Settings that reach the NATS this command is about.

    The environment decides, if it names a server. Otherwise it is the one of `leadlog up` on
    the data folder: while that runs its own, else one started for the time of the command.
    """
    folder = DataFolder(data)
    if named_in_environment() or not folder.jetstream.exists():
        yield load_settings(cls)
        return
    state = folder.read_state()
    if state is not None:
        yield _build(cls, folder, str(state["urls"]["nats"]), more)
        return
    with folder.locked() as lock:
        server = _own_server(folder, lock)
        await server.start()
        try:
            yield _build(cls, folder, server.url, more)
        finally:
            await server.stop()


def _own_server(folder: DataFolder, lock: int) -> NatsServer:
    taken: set[int] = set()
    return NatsServer(
        store=folder.jetstream.absolute(),
        port=free_port(taken),
        http_port=free_port(taken),
        seeds=folder.seeds(),
        inherits=(lock,),
    )


def _build(cls: type[S], folder: DataFolder, url: str, more: dict[str, Any]) -> S:
    make: Callable[..., S] = cls
    return make(nats_url=[url], nats_nkey_seed=folder.seeds()[OPERATOR], **more)


def named_in_environment() -> bool:
    """Whether the environment says which server a command is about."""
    return bool(os.environ.get("LEADLOG_NATS_URL") or os.environ.get("LEADLOG_NATS_URL_FILE"))
