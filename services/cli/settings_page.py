"""The page of all settings, made from the models that read them (pure)."""

from enum import Enum
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from libs.chassis.settings import ServiceSettings
from services.intake.settings import IntakeSettings
from services.leads.settings import LeadsSettings
from services.notifier.settings import NotifierSettings

SERVICES: Final[tuple[type[ServiceSettings], ...]] = (
    IntakeSettings,
    LeadsSettings,
    NotifierSettings,
)

_INTRODUCTION: Final = """\
# Settings

Made by `leadlog settings`; do not edit by hand.

Settings come from environment variables. Each can also be read from a file, which is what
you want for secrets: `LEADLOG_NATS_PASSWORD_FILE=/run/secrets/nats_password`. An empty
variable counts as not set, lists are separated by commas, and a name that is no setting is an
error that says what was probably meant.

A setting of every service may be set for one of them alone: `LEADLOG_INTAKE_LOG_LEVEL` goes
before `LEADLOG_LOG_LEVEL`. A setting that only one service has needs that service's name.
"""


def page() -> str:
    """The whole page, in Markdown."""
    common = ServiceSettings.model_fields
    ports = {"http_port", "metrics_port"}
    parts = [_INTRODUCTION, "## Every service\n"]
    parts.append(_table("LEADLOG_", {n: f for n, f in common.items() if n not in ports}))
    for cls in SERVICES:
        # A service may have another default than the rest.
        own = {
            n: f
            for n, f in cls.model_fields.items()
            if n not in common or n in ports or f.default != common[n].default
        }
        parts += [f"\n## {cls.service}\n", _table(f"LEADLOG_{cls.service.upper()}_", own)]
    return "\n".join(parts) + "\n"


def _table(prefix: str, fields: dict[str, FieldInfo]) -> str:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    rows += [
        f"| `{prefix}{name.upper()}` | {_default(field)} | {_meaning(field)} |"
        for name, field in fields.items()
    ]
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "**required**"
    if value is None or value == []:
        return ""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _meaning(field: FieldInfo) -> str:
    choices = [arg for arg in get_args(field.annotation) if isinstance(arg, str)]
    said = (field.description or "").strip().replace("<", "&lt;")
    if choices:
        said = f"{said} One of {', '.join(f'`{one}`' for one in choices)}.".strip()
    return said
