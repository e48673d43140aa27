"""Putting a mail into words: Jinja2 templates, one folder for each mail.

``subject.txt``, ``body.txt`` and ``body.html``. The HTML part is escaped; what a stranger
typed is only ever a value, never a template, and the environment is sandboxed besides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.outbox_words import TEMPLATES as OUTBOX_TEMPLATES
from services.notifier.policy import TEMPLATES
from services.notifier.texts import one_line, wrapped

FOLDER: Final = Path(__file__).parent / "templates"
FILES: Final = ("subject.txt", "body.txt", "body.html")
MAX_SUBJECT: Final = 150


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words: a subject of one line, a text part wrapped at 72, an HTML part."""

    subject: str
    text: str
    html: str


class Renderer:
    """The templates of one folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(enabled_extensions=("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def check(self) -> None:
        """Compile every template of every mail, so that a broken one is found at start.

        Raises:
            jinja2.TemplateError: a template is missing or its syntax is wrong.
        """
        for template in (*TEMPLATES, *OUTBOX_TEMPLATES):
            for file in FILES:
                self._environment.get_template(f"{template}/{file}")

    def render(self, template: str, context: Mapping[str, str | None]) -> Rendered:
        """Fill in the templates of one mail.

        Raises:
            jinja2.TemplateError: a template is missing, is wrong, or asks for an unknown name.
        """
        subject, text, html = (self._fill(template, file, context) for file in FILES)
        return Rendered(one_line(subject, MAX_SUBJECT), wrapped(text), html)

    def _fill(self, template: str, file: str, context: Mapping[str, str | None]) -> str:
        return self._environment.get_template(f"{template}/{file}").render(context)
