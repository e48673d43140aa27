"""The composition root: settings in, application out."""

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from libs.chassis.durability import durability_ctx
from libs.chassis.health import HEALTH
from libs.chassis.lifecycle import supervise
from libs.chassis.metrics import METRICS
from libs.chassis.nats import JETSTREAM, nats_ctx, wait_connected
from libs.chassis.tasks import end
from libs.chassis.web import new_app
from libs.events import ConsumeOptions, Part
from libs.events.dead_letters import DeadLetters
from libs.events.jetstream import JetStreamEventStore
from libs.events.letter_store import Letters
from libs.outbox import Outbox
from services.notifier.delivery import CONSUMER, GRACE_SECONDS, Desk
from services.notifier.handler import Notifier, RetryPolicy
from services.notifier.keys import MAIL_METRICS, POOL, SETTINGS
from services.notifier.ledger import BUCKET, Ledger
from services.notifier.mail_bucket import MailBucket
from services.notifier.metrics import MailMetrics
from services.notifier.orders import take_orders
from services.notifier.outbox import OutboxDesk, send_outbox
from services.notifier.readiness import (
    check_consumer,
    check_outbox,
    check_streams,
    mail_server_state,
    wait_for_streams,
    watch_lag,
)
from services.notifier.redrive import Redriver
from services.notifier.rendering import Renderer
from services.notifier.settings import NotifierSettings
from services.notifier.smtp.pool import SmtpPool

SERVICE: Final = "notifier"


def build_app(settings: NotifierSettings) -> web.Application:
    """Put the service together; nothing is opened before it starts."""
    app = new_app(settings, service=SERVICE, errors={})
    app[SETTINGS] = settings
    app[MAIL_METRICS] = MailMetrics(app[METRICS].registry)
    app.cleanup_ctx.append(nats_ctx(settings, SERVICE))
    app.cleanup_ctx.append(durability_ctx(settings, ("LEADS", "OBJ_RESUMES")))
    app.cleanup_ctx.append(_mail_server)
    app.cleanup_ctx.append(_checks)
    supervise(app, "lag", functools.partial(_watch_lag, app))
    supervise(
        app, "redrives", functools.partial(_redrive, app), stop_seconds=settings.shutdown_seconds
    )
    supervise(
        app, "outbox", functools.partial(_send_outbox, app), stop_seconds=settings.shutdown_seconds
    )
    supervise(
        app, "consumer", functools.partial(_consume, app), stop_seconds=settings.shutdown_seconds
    )
    return app


async def _mail_server(app: web.Application) -> AsyncIterator[None]:
    """Keep connections to the mail server."""
    settings = app[SETTINGS]
    pool = SmtpPool(
        settings.server,
        connections=settings.smtp_connections,
        on_state=app[MAIL_METRICS].server_state,
    )
    async with pool:
        app[POOL] = pool
        trial = asyncio.create_task(pool.try_out())
        yield
        await end(trial)


async def _checks(app: web.Application) -> AsyncIterator[None]:
    """Let ``/readyz`` say what is missing."""
    js, health = app[JETSTREAM], app[HEALTH]
    health.add("streams", functools.partial(check_streams, js))
    health.add("durable", functools.partial(check_consumer, js))
    health.add("outbox", functools.partial(check_outbox, js))
    health.add("smtp", functools.partial(mail_server_state, app[POOL]))
    yield


def _desk(app: web.Application) -> Desk:
    """What both consumers work with."""
    settings, js = app[SETTINGS], app[JETSTREAM]
    renderer = Renderer()
    renderer.check()
    return Desk(
        store=JetStreamEventStore(js),
        ledger=Ledger(MailBucket(js, BUCKET)),
        dead_letters=DeadLetters(js),
        postman=app[POOL],
        renderer=renderer,
        sender=settings.sender,
        metrics=app[MAIL_METRICS],
    )


def _retry(settings: NotifierSettings) -> RetryPolicy:
    return RetryPolicy(settings.retry_base_seconds, settings.retry_cap_seconds)


async def _consume(app: web.Application) -> None:
    settings, desk = app[SETTINGS], _desk(app)
    notifier = Notifier(desk, settings.firm, _retry(settings))
    options = ConsumeOptions(
        concurrency=settings.concurrency,
        ack_wait_seconds=settings.ack_wait_seconds,
        # What is left of the time to stop belongs to mails that were cut short, and to QUIT.
        drain_seconds=max(1.0, settings.shutdown_seconds - 2 * GRACE_SECONDS),
    )
    await wait_connected(app)
    await wait_for_streams(app[JETSTREAM])
    await desk.store.consume(CONSUMER, {Part.SUBMISSION}, notifier.handle, options=options)


async def _redrive(app: web.Application) -> None:
    settings, desk, retry = app[SETTINGS], _desk(app), _retry(app[SETTINGS])
    letters = Letters(app[JETSTREAM])
    notifier = Notifier(desk, settings.firm, retry)
    redriver = Redriver(desk, settings.firm, retry, letters, notifier)
    await wait_connected(app)
    await wait_for_streams(app[JETSTREAM])
    await take_orders(app[JETSTREAM], letters, redriver.handle)


async def _send_outbox(app: web.Application) -> None:
    settings, js, desk = app[SETTINGS], app[JETSTREAM], _desk(app)
    own = OutboxDesk(
        outbox=Outbox(js),
        ledger=desk.ledger,
        postman=desk.postman,
        renderer=desk.renderer,
        sender=desk.sender,
        firm=settings.firm,
        retry=_retry(settings),
        metrics=desk.metrics,
    )
    await wait_connected(app)
    await wait_for_streams(js)
    await send_outbox(js, own)


async def _watch_lag(app: web.Application) -> None:
    await wait_connected(app)
    await watch_lag(app[JETSTREAM], app[MAIL_METRICS])
