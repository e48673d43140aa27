"""The composition root: settings in, the application out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from libs.chassis.buckets import Bucket
from libs.chassis.durability import durability_ctx
from libs.chassis.metrics import METRICS
from libs.chassis.nats import JETSTREAM, nats_ctx
from libs.chassis.web import new_app
from libs.events.jetstream_submissions import JetStreamSubmissions
from libs.events.submissions import Submissions
from libs.resumes import JetStreamResumeStore, ResumeStore
from services.intake.admission import Admission
from services.intake.cors import allow_origins
from services.intake.idempotency import ClaimBucket
from services.intake.keys import ADMISSION, METERS, PAGES, RECORDER, SETTINGS, SLOTS, TASKS
from services.intake.meters import Meters
from services.intake.pages import Pages
from services.intake.problems import ERRORS
from services.intake.readiness import add_storage_check
from services.intake.receive import Slots
from services.intake.recorder import Recorder
from services.intake.routes import add_routes
from services.intake.settings import IntakeSettings
from services.intake.tasks import Tasks

SERVICE: Final = "intake"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backend:
    """Where submissions go."""

    log: Submissions
    resumes: ResumeStore
    claims: ClaimBucket


def build_app(settings: IntakeSettings, backend: Backend | None = None) -> web.Application:
    """Build the service.

    Args:
        settings: all there is to know.
        backend: where to keep things instead of JetStream; then no connection is made.
    """
    app = new_app(settings, service=SERVICE, errors=ERRORS)
    app[SETTINGS] = settings
    app[PAGES] = Pages(settings)
    app[METERS] = Meters(app[METRICS].registry)
    app[SLOTS] = Slots(settings.max_concurrent_uploads)
    app[TASKS] = Tasks()
    app[ADMISSION] = Admission(settings)
    app.on_response_prepare.append(allow_origins(settings.allowed_origins))
    if backend is None:
        app.cleanup_ctx.append(nats_ctx(settings, SERVICE))
        app.cleanup_ctx.append(durability_ctx(settings, ("LEADS", "OBJ_RESUMES")))
        add_storage_check(app)

    async def recorder(app: web.Application) -> AsyncIterator[None]:
        parts = backend or _on_jetstream(app)
        app[RECORDER] = Recorder(parts.log, parts.resumes, parts.claims)
        yield
        if late := await app[TASKS].drain(settings.shutdown_seconds):
            _log.warning("submissions cut off; nothing was promised for them", submissions=late)

    app.cleanup_ctx.append(recorder)
    add_routes(app)
    return app


def _on_jetstream(app: web.Application) -> Backend:
    js = app[JETSTREAM]
    return Backend(JetStreamSubmissions(js), JetStreamResumeStore(js), Bucket(js, "IDEMPOTENCY"))
