"""A running notifier, a log to submit leads to, and ways to wait for what should happen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
from aiohttp import web
from nats.js import JetStreamContext

from libs.events import (
    Event,
    LeadSubmitted,
    NewEvent,
    NotificationFailed,
    NotificationSent,
    Part,
    ResumeRef,
    new_id,
)
from libs.events.jetstream import JetStreamEventStore
from services.notifier.app import build_app
from services.notifier.settings import NotifierSettings
from tests.support.nats import NatsServer
from tests.support.ports import free_port
from tests.support.smtp import PASSWORD, USERNAME, SmtpServer

ATTORNEY = "anna@firm.example"
T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T | None]], seconds: float = 20) -> T:
    """Ask until the answer is true; that answer."""
    async with asyncio.timeout(seconds):
        while True:
            if answer := await probe():
                return answer
            await asyncio.sleep(0.02)


def settings_for(
    nats: NatsServer, smtp: SmtpServer, folder: Path, **changes: Any
) -> NotifierSettings:
    """Settings as in production, with short retries."""
    values: dict[str, Any] = {
        "environment": "production",
        "nats_url": [nats.url],
        "nats_nkey_seed": nats.seeds["notifier"],
        "http_port": free_port(),
        "metrics_port": 0,
        "smtp_host": "localhost",
        "smtp_port": smtp.port,
        "smtp_tls": smtp.tls,
        "smtp_username": USERNAME if smtp.auth else None,
        "smtp_password": PASSWORD if smtp.auth else None,
        "smtp_ca_file": smtp.ca_file(folder),
        "smtp_timeout_seconds": 1.0,
        "mail_from": "no-reply@firm.example",
        "reply_to": "office@firm.example",
        "attorney_emails": [ATTORNEY],
        "firm_name": "Harper & Lowe LLP",
        "inbox_url": "https://leads.firm.example",
        "retry_base_seconds": 0.05,
        "retry_cap_seconds": 0.2,
        "shutdown_seconds": 10,
    }
    return NotifierSettings(**values | changes)


@asynccontextmanager
async def notifier(settings: NotifierSettings) -> AsyncIterator[str]:
    """A notifier in this process; its URL."""
    runner = web.AppRunner(build_app(settings), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", settings.http_port).start()
        yield f"http://127.0.0.1:{settings.http_port}"
    finally:
        await runner.cleanup()


async def get(url: str) -> tuple[int, Any]:
    """Status and body of a request; (0, None) when nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.json()
    except aiohttp.ClientError:
        return 0, None


class Log:
    """The log, as intake writes it and an attorney reads it."""

    def __init__(self, js: JetStreamContext) -> None:
        self.js = js
        self.store = JetStreamEventStore(js)

    async def submit(self, email: str = "jane@example.com", **changes: Any) -> UUID:
        resume = ResumeRef(
            object="o",
            file_name="cv.pdf",
            media_type="application/pdf",
            size=20_480,
            sha256="00" * 32,
        )
        fields: dict[str, Any] = {"first_name": "Jane", "last_name": "Doe", "resume": resume}
        lead_id = new_id()
        new = NewEvent(
            event=LeadSubmitted(**fields | {"email": email} | changes),
            id=new_id(),
            time=datetime.now(UTC),
            source="/leadlog/intake",
            actor="prospect",
        )
        await self.store.append(lead_id, Part.SUBMISSION, [new], expected=0)
        return lead_id

    async def facts(self, lead_id: UUID) -> list[Event]:
        """What the history says about the lead's mails."""
        history = await self.store.load(lead_id)
        return [entry.event for entry in history.events if entry.part is Part.MAIL]

    async def wait_for_facts(self, lead_id: UUID, count: int = 2) -> list[Event]:
        async def enough() -> list[Event] | None:
            facts = await self.facts(lead_id)
            return facts if len(facts) >= count else None

        return await until(enough)

    async def settled(self) -> None:
        """Until the consumer has nothing to do any more."""

        async def idle() -> bool:
            info = await self.js.consumer_info("LEADS", "notifier")
            return not info.num_pending and not info.num_ack_pending

        await until(idle)

    async def dead_letters(self) -> int:
        info = await self.js.stream_info("DEAD_LETTERS")
        return info.state.messages


def sent_to(facts: list[Event]) -> set[str]:
    return {fact.recipient for fact in facts if isinstance(fact, NotificationSent)}


def failed_for(facts: list[Event]) -> set[str]:
    return {fact.recipient for fact in facts if isinstance(fact, NotificationFailed)}
