"""The task that erases resumes whose submission was never recorded."""

import asyncio
from datetime import UTC, datetime, timedelta

import nats.errors
import structlog
from aiohttp import web

from libs.chassis.buckets import Bucket
from libs.chassis.errors import StoreUnavailable
from libs.chassis.nats import JETSTREAM, wait_connected
from libs.chassis.tasks import still_wanted
from libs.events.jetstream import JetStreamEventStore
from libs.resumes import JetStreamResumeStore
from libs.resumes.janitor import sweep
from services.leads.settings import LeadsSettings

_log = structlog.get_logger(__name__)


async def clean_up(app: web.Application, settings: LeadsSettings) -> None:
    """Sweep once and then at each interval, until cancelled; a failed sweep is made up for."""
    await wait_connected(app)
    js = app[JETSTREAM]
    resumes, store, bucket = (
        JetStreamResumeStore(js),
        JetStreamEventStore(js),
        Bucket(js, "SETTINGS"),
    )
    while True:
        still_wanted()
        try:
            await sweep(
                resumes,
                store,
                bucket,
                now=datetime.now(UTC),
                grace=timedelta(seconds=settings.janitor_grace_seconds),
            )
        except (StoreUnavailable, nats.errors.Error, TimeoutError) as error:
            _log.warning("resumes not swept; next time", reason=type(error).__name__)
        await asyncio.sleep(settings.janitor_interval_seconds)
