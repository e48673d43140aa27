"""What the application and a request hold, under typed keys."""

from datetime import UTC, datetime

from aiohttp import web

from libs.events.jetstream import JetStreamEventStore
from libs.resumes import ResumeStore
from services.leads.auth.directory import AccountDirectory
from services.leads.auth.parts import Auth
from services.leads.auth.principal import Principal
from services.leads.projection.gate import PositionGate
from services.leads.projection.switch import Readers
from services.leads.settings import LeadsSettings

SETTINGS = web.AppKey("settings", LeadsSettings)
STORE = web.AppKey("store", JetStreamEventStore)
RESUMES = web.AppKey("resumes", ResumeStore)
READERS = web.AppKey("readers", Readers)
GATE = web.AppKey("gate", PositionGate)
AUTH = web.AppKey("auth", Auth)
DIRECTORY = web.AppKey("directory", AccountDirectory)
PRINCIPAL = web.RequestKey("principal", Principal)


def now() -> datetime:
    """Return the time (UTC); commands carry it into the pure core."""
    return datetime.now(UTC)


def scans(request: web.Request) -> bool:
    """Tell whether resumes are scanned for viruses here."""
    return bool(request.app[SETTINGS].clamd)
