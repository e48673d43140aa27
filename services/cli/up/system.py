"""Starting all of it in order, and stopping all of it in order."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats
from nats.js import JetStreamContext
from rich.console import Console

from libs.chassis.buckets import Bucket
from libs.chassis.nats_login import inbox_of
from libs.events.topology import Difference, provision
from services.cli.nats_keys import OPERATOR
from services.cli.nats_server import NatsServer
from services.cli.up import plan, words
from services.cli.up.child import Child
from services.cli.up.plan import Options
from services.leads.auth.accounts import create_account, list_accounts
from services.leads.auth.permissions import Role


@dataclass(slots=True)
class System:
    """The processes of one ``leadlog up``."""

    options: Options
    console: Console
    children: list[Child] = field(default_factory=list)
    """In the order in which they were started."""
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Start, serve until a signal, stop.

        Raises:
            ChildFailed: a part did not become ready.
            NatsServerProblem: no usable nats-server.
        """
        self._listen_to_signals()
        try:
            starting = asyncio.create_task(self._start())
            asked = asyncio.create_task(self.stop_asked.wait())
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
                return
            await starting
            await asked
        finally:
            await self._stop()
            self.options.data.clear_state()

    async def _start(self) -> None:
        options = self.options
        server = plan.nats_server(options)
        with self.console.status("Starting nats-server …"):
            await self._begin(plan.nats_child(options, server, self.say))
        with self.console.status("Preparing the streams …"):
            async with _jetstream(server) as js:
                self._report((await provision(js)).differences)
        with self.console.status("Starting the services …"):
            rest = [
                plan.mail_child(options, self.say),
                *reversed(plan.service_children(options, server, self.say)),
            ]
            for child in rest:
                self.children.append(child)
                await child.start()
            await asyncio.gather(*(child.wait_ready() for child in rest))
        # Last, since its password is shown only once.
        async with _jetstream(server) as js:
            password = await self._first_account(js)
        self._write_state()
        for child in self.children:
            child.restarted = self._write_state
        self.console.print(words.welcome(options, password))

    async def _begin(self, child: Child) -> None:
        self.children.append(child)
        await child.start()
        await child.wait_ready()

    async def _first_account(self, js: JetStreamContext) -> str | None:
        accounts = Bucket(js, "ACCOUNTS")
        if await list_accounts(accounts):
            return None
        _, password = await create_account(
            accounts, self.options.account_email, "First attorney", role=Role.ADMIN
        )
        return password

    def _report(self, differences: tuple[Difference, ...]) -> None:
        for one in differences:
            self.say(
                f"{one.stream}: {one.field} is {one.actual}, this version expects {one.wanted}; "
                "left as it is. `leadlog provision --apply` changes it."
            )

    def _write_state(self) -> None:
        self.options.data.write_state(
            {
                "pid": os.getpid(),
                "urls": plan.urls(self.options.ports),
                "pids": {child.name: child.pid for child in self.children},
                "smtp_port": self.options.ports.smtp,
            }
        )

    async def _stop(self) -> None:
        """The public side first, then what it feeds, the log last."""
        if not self.children:
            return
        self.console.print("Stopping …")
        for child in self.children:
            child.let_fall()
        for child in reversed(self.children):
            await child.stop()
        self.console.print("Stopped. Your data is kept in", str(self.options.data.path), end=".\n")

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if not self.stop_asked.is_set():
            self.stop_asked.set()
            return
        for child in self.children:
            child.kill()

    def say(self, line: str) -> None:
        """Print one line for the person; markup in it is not interpreted."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


@asynccontextmanager
async def _jetstream(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(
        server.url,
        nkeys_seed_str=server.seeds[OPERATOR],
        inbox_prefix=inbox_of(OPERATOR),
    )
    try:
        yield client.jetstream()
    finally:
        await client.close()
