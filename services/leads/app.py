"""The composition root: settings in, application out."""

import functools
from collections.abc import AsyncIterator

from aiohttp import web

from libs.audit import AuditLog
from libs.chassis.buckets import Bucket
from libs.chassis.durability import durability_ctx
from libs.chassis.health import HEALTH
from libs.chassis.lifecycle import supervise
from libs.chassis.metrics import METRICS
from libs.chassis.nats import JETSTREAM, nats_ctx
from libs.chassis.web import new_app
from libs.events.jetstream import JetStreamEventStore
from libs.outbox import Outbox
from libs.resumes import JetStreamResumeStore
from services.leads.audit import AUDIT_LOG
from services.leads.auth.directory import AccountDirectory
from services.leads.auth.joining import Joining
from services.leads.auth.links import LINKS
from services.leads.auth.oidc.setup import open_oidc
from services.leads.auth.parts import open_auth
from services.leads.background import background_ctx
from services.leads.janitor import clean_up
from services.leads.keys import AUTH, DIRECTORY, GATE, READERS, RESUMES, SETTINGS, STORE
from services.leads.metrics import ProjectionMetrics
from services.leads.people.job import look_after_people
from services.leads.projection.database import open_engine
from services.leads.projection.gate import PositionGate
from services.leads.projection.lock import locked
from services.leads.projection.projector import Projector
from services.leads.projection.stream import read_identity
from services.leads.projection.switch import Readers
from services.leads.readiness import check_projection, check_streams
from services.leads.refusals import REFUSALS, Refusals
from services.leads.routes import (
    accounts,
    api_keys,
    assignee,
    audit,
    history,
    identity,
    joining,
    leads,
    me,
    mfa,
    mfa_admin,
    oidc,
    passkeys,
    people,
    reached_out,
    release,
    resume,
    second_factor_sign_in,
    sessions,
    token,
)
from services.leads.routes.api import api
from services.leads.routes.bearer import require_permission
from services.leads.routes.errors import ERRORS
from services.leads.routes.join_page import add_join_pages
from services.leads.routes.notices import OUTBOX
from services.leads.scanning.task import scan_resumes
from services.leads.settings import LeadsSettings

OPERATIONS = (
    token,
    second_factor_sign_in,
    me,
    joining,
    accounts,
    mfa,
    passkeys,
    mfa_admin,
    oidc,
    identity,
    leads,
    history,
    resume,
    release,
    reached_out,
    assignee,
    sessions,
    api_keys,
    people,
    audit,
)
"""Importing these modules is what fills `api`."""


def build_app(settings: LeadsSettings) -> web.Application:
    """Put the service together; nothing is opened before it starts."""
    app = new_app(settings, service="leads", errors=ERRORS)
    app.middlewares.append(require_permission(api.operations))
    app[SETTINGS] = settings
    app[GATE] = PositionGate()
    app[REFUSALS] = Refusals()
    app.cleanup_ctx.append(nats_ctx(settings, "leads"))
    app.cleanup_ctx.append(durability_ctx(settings, ("LEADS", "OBJ_RESUMES")))
    app.cleanup_ctx.append(_stores)
    app.cleanup_ctx.append(background_ctx)
    app.cleanup_ctx.append(_identity_provider)
    app.cleanup_ctx.append(_database)
    supervise(app, "projector", lambda: _projector(app).run())
    supervise(app, "janitor", lambda: clean_up(app, settings))
    supervise(app, "erasures", lambda: look_after_people(app, settings))
    if settings.clamd:
        supervise(app, "scanner", lambda: scan_resumes(app, settings))
    api.install(app)
    add_join_pages(app)
    return app


async def _stores(app: web.Application) -> AsyncIterator[None]:
    """Open what lives in NATS."""
    js = app[JETSTREAM]
    app[STORE] = JetStreamEventStore(js)
    app[RESUMES] = JetStreamResumeStore(js)
    app[AUDIT_LOG] = AuditLog(js)
    app[AUTH] = open_auth(js, app[SETTINGS])
    app[OUTBOX] = Outbox(js)
    app[accounts.JOINING] = Joining(Bucket(js, LINKS), app[OUTBOX], app[SETTINGS].public_url)
    app[joining.LIMITS] = joining.new_limits()
    app[DIRECTORY] = AccountDirectory(app[AUTH].accounts, api_keys=app[AUTH].api_keys)
    app[HEALTH].add("streams", functools.partial(check_streams, js))
    yield


async def _identity_provider(app: web.Application) -> AsyncIterator[None]:
    async with open_oidc(app[JETSTREAM], app[SETTINGS]) as opened:
        if opened is not None:
            app[oidc.OIDC] = opened
        yield


async def _database(app: web.Application) -> AsyncIterator[None]:
    """Open this replica's own file."""
    path = app[SETTINGS].database
    with locked(path):
        engine = open_engine(path)
        app[READERS] = Readers(engine)
        app[HEALTH].add("projection", functools.partial(check_projection, app[GATE]))
        yield
        await engine.dispose()


def _projector(app: web.Application) -> Projector:
    store = app[STORE]
    return Projector(
        store,
        app[READERS],
        app[SETTINGS].database,
        functools.partial(read_identity, app[JETSTREAM]),
        app[GATE],
        ProjectionMetrics(app[METRICS].registry, store.skipped),
    )
