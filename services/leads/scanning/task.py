"""The task that scans resumes, when there is a clamd."""

import asyncio
from typing import Final

from aiohttp import web

from libs.chassis.metrics import METRICS
from libs.chassis.nats import JETSTREAM, wait_connected
from libs.chassis.tasks import end
from libs.events import ConsumeOptions, Part
from services.leads.keys import RESUMES, STORE
from services.leads.scanning.clamd import Clamd, parse_address
from services.leads.scanning.metrics import ScanMetrics
from services.leads.scanning.scanner import Scanner
from services.leads.settings import LeadsSettings

CONSUMER: Final = "leads-scanner"
"""Durable, one for all replicas; it begins with the oldest submission of the log."""
_OPTIONS: Final = ConsumeOptions(concurrency=4, drain_seconds=2.0)


async def scan_resumes(app: web.Application, settings: LeadsSettings) -> None:
    """Scan what is submitted, until cancelled."""
    await wait_connected(app)
    metrics = ScanMetrics(app[METRICS].registry)
    scanner = Scanner(app[STORE], app[RESUMES], Clamd(parse_address(settings.clamd)), metrics)
    watching = asyncio.create_task(metrics.watch(app[JETSTREAM], CONSUMER))
    try:
        await app[STORE].consume(CONSUMER, {Part.SUBMISSION}, scanner.handle, options=_OPTIONS)
    finally:
        await end(watching)
