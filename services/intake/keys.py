"""What the application holds, by typed key."""

from typing import Final

from aiohttp import web

from services.intake.admission import Admission
from services.intake.meters import Meters
from services.intake.pages import Pages
from services.intake.receive import Slots
from services.intake.recorder import Recorder
from services.intake.settings import IntakeSettings
from services.intake.tasks import Tasks

SETTINGS: Final = web.AppKey("settings", IntakeSettings)
RECORDER: Final = web.AppKey("recorder", Recorder)
PAGES: Final = web.AppKey("pages", Pages)
METERS: Final = web.AppKey("meters", Meters)
SLOTS: Final = web.AppKey("slots", Slots)
TASKS: Final = web.AppKey("tasks", Tasks)
ADMISSION: Final = web.AppKey("admission", Admission)
