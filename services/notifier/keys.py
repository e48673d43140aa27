"""What the application holds, under typed keys."""

from aiohttp import web

from services.notifier.metrics import MailMetrics
from services.notifier.settings import NotifierSettings
from services.notifier.smtp.pool import SmtpPool

SETTINGS = web.AppKey("settings", NotifierSettings)
MAIL_METRICS = web.AppKey("mail_metrics", MailMetrics)
POOL = web.AppKey("pool", SmtpPool)
