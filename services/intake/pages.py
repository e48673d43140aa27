"""The pages a prospect sees: the form, the form with what is wrong, and the thanks."""

import itertools
from collections.abc import Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from libs.chassis.problems import Problem
from libs.events import new_id
from services.intake.fields import TEXT_FIELDS
from services.intake.resume import KINDS
from services.intake.settings import IntakeSettings, origin_of

_MEGABYTE: Final = 1024 * 1024
_ACCEPT: Final = ",".join(
    itertools.chain.from_iterable(
        (*(f".{each}" for each in kind.extensions), kind.media_type) for kind in KINDS
    )
)
_UNREADABLE: Final = ("We could not read the form", "Please send it again.")
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "validation": ("Please check the form", ""),
    "resume-not-accepted": ("Please choose another file", ""),
    "resume-too-large": ("Please choose a smaller file", ""),
    "idempotency-key-reused": (
        "We already have this form from you",
        "If you want to send us a changed one, please press Send once more.",
    ),
    "idempotency-key-invalid": _UNREADABLE,
    "broken-form": _UNREADABLE,
    "wrong-content-type": _UNREADABLE,
    "body-timeout": ("The form took too long to reach us", "Please send it again."),
    "cross-site": (
        "Please fill in the form here",
        "Your form came from a page of another site, so nothing of it was saved.",
    ),
    "too-many-submissions": (
        "That was a lot of forms at once",
        "Your network has sent many in a short time. Please wait a minute and press Send again.",
    ),
    "form-too-large": ("There is more in the form than we can take", "Please make it shorter."),
}
_LATER: Final = (
    "We could not save your form just now",
    "Please press Send again in a few seconds. It is safe to do so: we count it once.",
)
_NEW_KEY: Final = frozenset({"idempotency-key-reused", "idempotency-key-invalid"})


class Pages:
    """Renders the pages; every value is escaped."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._environment = Environment(
            loader=PackageLoader("services.intake"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            firm_name=settings.firm_name,
            privacy_url=settings.privacy_url,
            intro=settings.form_intro,
            accept=_ACCEPT,
            max_megabytes=f"{settings.max_resume_bytes / _MEGABYTE:.3g}",
        )
        self.policy = _policy(settings)

    def form(self) -> str:
        """The empty form, with a key of its own, so that a double click makes one lead."""
        return self._render("form.html", **_blank({}, new_id().hex))

    def form_again(self, sent: Mapping[str, str], key: str, problem: Problem) -> str:
        """The form as it was filled in, with what is wrong; never with the file.

        Args:
            sent: the text fields as they came.
            key: the form's idempotency key; another one is made when it cannot serve again.
            problem: how the submission was answered.
        """
        if not key or problem.slug in _NEW_KEY:
            key = new_id().hex
        title, detail = _WORDS.get(problem.slug, _LATER)
        shown = _blank(sent, key) | {
            "title": title,
            "detail": detail,
            "errors": {error.field: error.message for error in problem.errors},
            "choose_again": problem.slug != "cross-site",
        }
        return self._render("form.html", **shown)

    def thank_you(self) -> str:
        """The page after the form."""
        return self._render("thank_you.html")

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(values)


def _blank(sent: Mapping[str, str], key: str) -> dict[str, object]:
    return {
        "values": {name: sent.get(name, "") for name in TEXT_FIELDS},
        "key": key,
        "title": "",
        "detail": "",
        "errors": {},
        "choose_again": False,
    }


def _policy(settings: IntakeSettings) -> str:
    """The Content-Security-Policy: no script at all, framed by the firm's own pages only."""
    ancestors = " ".join(("'self'", *settings.allowed_origins))
    # A browser applies form-action to where the answer to the form leads as well.
    targets = " ".join(
        ("'self'", *([origin_of(settings.thank_you_url)] if settings.thank_you_url else []))
    )
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"form-action {targets}; frame-ancestors {ancestors}"
    )
