"""The users of the shipped configuration, and a way to see what the server refuses them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client

from libs.chassis.nats_client import HOME_API, QuickClient
from libs.chassis.nats_login import SERVICE_API, inbox_of
from services.cli.nats_keys import SERVICES
from services.cli.nats_server import NatsServer


@dataclass
class User:
    """A connection of one user, and the errors that the server has sent it."""

    name: str
    client: Client
    refusals: list[str] = field(default_factory=list)

    def here(self, subject: str) -> str:
        """A subject as it is called in this user's account."""
        if self.name not in SERVICES or not subject.startswith(f"{HOME_API}."):
            return subject
        return SERVICE_API + subject.removeprefix(HOME_API)

    async def may_publish(
        self, subject: str, payload: bytes = b"", *, reply: str = "", **headers: str
    ) -> bool:
        """Whether the server takes a message; it is really sent."""
        before = len(self.refusals)
        subject = self.here(subject)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.client.publish(subject, payload, reply, headers=named or None)
        await self._settled()
        return len(self.refusals) == before

    async def may_listen(self, subject: str) -> bool:
        """Whether the server takes a subscription."""
        before = len(self.refusals)
        subscription = await self.client.subscribe(subject)
        await self._settled()
        allowed = len(self.refusals) == before
        if allowed:
            await subscription.unsubscribe()
        return allowed

    async def _settled(self) -> None:
        """Wait until the server has had all that was sent; its refusal comes before its answer.

        Twice: nats-py 2.16 sends a flush's PING before what it flushes.
        """
        await self.client.flush()
        await self.client.flush()

    async def ask(self, subject: str, request: object = None) -> Any:
        """The answer to a request that is allowed."""
        subject = self.here(subject)
        data = b"" if request is None else json.dumps(request).encode()
        return json.loads((await self.client.request(subject, data, timeout=5)).data)


@asynccontextmanager
async def user(server: NatsServer, name: str) -> AsyncIterator[User]:
    """Log in as one of the users."""
    refusals: list[str] = []

    async def on_error(error: Exception) -> None:
        refusals.append(str(error))

    client = QuickClient(SERVICE_API if name in SERVICES else HOME_API)
    await client.connect(
        server.url,
        nkeys_seed_str=server.seeds[name],
        inbox_prefix=inbox_of(name),
        error_cb=on_error,
    )
    try:
        yield User(name, client, refusals)
    finally:
        async with asyncio.timeout(5):
            await client.close()
