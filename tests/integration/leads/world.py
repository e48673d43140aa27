"""Replicas of the service, prospects that submit, and attorneys that log in."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from nats.js import JetStreamContext
from pydantic import SecretStr

from libs.chassis.buckets import Bucket
from libs.events import Event, LeadSubmitted, NewEvent, Part, ResumeRef, new_id
from libs.events.jetstream import JetStreamEventStore
from libs.resumes import JetStreamResumeStore
from services.leads.app import build_app
from services.leads.auth.accounts import create_account
from services.leads.auth.permissions import Role
from services.leads.settings import LeadsSettings
from tests.support.nats import NatsServer

PASSWORD = "correct horse battery"
Client = TestClient[Any, Any]


@dataclass
class Attorney:
    """Somebody who is logged in at one replica."""

    client: Client
    access: str
    refresh: str
    account_id: str = ""

    def _headers(self, headers: dict[str, str] | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}", **(headers or {})}

    async def get(self, path: str, headers: dict[str, str] | None = None, **kw: Any) -> Any:
        return await self.client.get(path, headers=self._headers(headers), **kw)

    async def post(self, path: str, headers: dict[str, str] | None = None, **kw: Any) -> Any:
        return await self.client.post(path, headers=self._headers(headers), **kw)

    async def put(self, path: str, headers: dict[str, str] | None = None, **kw: Any) -> Any:
        return await self.client.put(path, headers=self._headers(headers), **kw)

    async def delete(self, path: str, headers: dict[str, str] | None = None, **kw: Any) -> Any:
        return await self.client.delete(path, headers=self._headers(headers), **kw)

    def at(self, client: Client) -> "Attorney":
        return Attorney(client, self.access, self.refresh, self.account_id)


@dataclass
class World:
    server: NatsServer
    js: JetStreamContext
    folder: Path
    stack: AsyncExitStack
    replicas: int = 0
    store: JetStreamEventStore = field(init=False)
    resumes: JetStreamResumeStore = field(init=False)
    accounts: Bucket = field(init=False)

    def __post_init__(self) -> None:
        self.store = JetStreamEventStore(self.js)
        self.resumes = JetStreamResumeStore(self.js)
        self.accounts = Bucket(self.js, "ACCOUNTS")

    def settings(self, name: str, **more: Any) -> LeadsSettings:
        values: dict[str, Any] = {
            "nats_url": [self.server.url],
            "nats_nkey_seed": self.server.seeds["leads"],
            "database": self.folder / name / "leads.sqlite",
            "metrics_port": 0,
            "http_port": 0,
        }
        return LeadsSettings(**{**values, **more})

    def as_operator(self, settings: LeadsSettings) -> LeadsSettings:
        """The same replica's settings, as a command of the operator has them."""
        seed = SecretStr(self.server.seeds["operator"])
        return settings.model_copy(update={"nats_nkey_seed": seed})

    async def replica(self, name: str = "", **more: Any) -> Client:
        """Start a replica and wait until it is ready; it stops with the test."""
        return await self.stack.enter_async_context(self.running(name, **more))

    @asynccontextmanager
    async def running(self, name: str = "", **more: Any) -> AsyncIterator[Client]:
        """Run a replica, ready, for a while."""
        self.replicas += 1
        settings = self.settings(name or f"replica-{self.replicas}", **more)
        async with TestClient(TestServer(build_app(settings))) as client:
            await until(lambda: is_ready(client))
            yield client

    async def attorney(
        self,
        client: Client,
        email: str = "lena@firm.example",
        name: str = "Lena Weber",
        *,
        role: Role = Role.ATTORNEY,
    ) -> Attorney:
        """Make an account and log in."""
        account, _ = await create_account(self.accounts, email, name, PASSWORD, role=role)
        answer = await log_in(client, email, PASSWORD)
        assert answer.status == 200, await answer.text()
        tokens = await answer.json()
        return Attorney(client, tokens["access_token"], tokens["refresh_token"], account.id)

    async def submit(
        self,
        first_name: str = "Ada",
        last_name: str = "Lovelace",
        email: str = "ada@example.org",
        *,
        content: bytes = b"%PDF-1.7 made up",
        file_name: str = "cv.pdf",
        at: datetime | None = None,
    ) -> UUID:
        """Do what intake does with a form."""
        lead_id = new_id()
        digest = hashlib.sha256(content).hexdigest()
        name = await self.resumes.put(lead_id, [content], size=len(content), sha256=digest)
        resume = ResumeRef(
            object=name,
            file_name=file_name,
            media_type="application/pdf",
            size=len(content),
            sha256=digest,
        )
        event = LeadSubmitted(
            first_name=first_name, last_name=last_name, email=email, resume=resume
        )
        await self.append(lead_id, event, at=at)
        return lead_id

    async def append(
        self, lead_id: UUID, event: Event, *, actor: str = "prospect", at: datetime | None = None
    ) -> int:
        new = NewEvent(
            event=event,
            id=uuid4(),
            time=at or datetime.now(UTC),
            source="/leadlog/test",
            actor=actor,
        )
        history = await self.store.load(lead_id)
        appended = await self.store.append(
            lead_id, event.part, [new], expected=history.last(event.part)
        )
        return appended.position

    async def handled(self, lead_id: UUID) -> int:
        """Count the facts on a lead's handling part."""
        events = (await self.store.load(lead_id)).events
        return sum(event.part is Part.HANDLING for event in events)

    async def level(self, attorney: Attorney) -> None:
        """Wait until the attorney's replica has seen everything in the log."""
        position = str(await self.store.last_position())

        async def is_level() -> bool:
            answer = await attorney.get("/leads?limit=1", {"Leadlog-Position": position})
            assert answer.status in {200, 503}, await answer.text()
            return bool(answer.status == 200)

        await until(is_level)


async def log_in(client: Client, email: str, password: str) -> ClientResponse:
    form = {"grant_type": "password", "username": email, "password": password}
    return await client.post("/auth/token", data=form)


async def renew(client: Client, refresh_token: str) -> ClientResponse:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return await client.post("/auth/token", data=form)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until a condition holds; fail when it does not within some seconds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for is elsewhere
            await asyncio.sleep(0.02)


async def is_ready(client: Client) -> bool:
    return (await client.get("/readyz")).status == 200
