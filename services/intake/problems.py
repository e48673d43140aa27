"""How each thing that can go wrong with a submission is answered."""

from collections.abc import Sequence
from typing import Final

from libs.chassis.errors import FieldError, StoreUnavailable
from libs.chassis.problems import ErrorTable, Problem, refused
from services.intake.admission import CrossSite, TooOften
from services.intake.fields import InvalidFields
from services.intake.form import FILE_FIELD
from services.intake.form_reader import BrokenForm, FormTooLarge, WrongContentType
from services.intake.idempotency import InvalidKey, KeyReused
from services.intake.receive import ClientGone, SlowClient, TooBusy
from services.intake.resume import NoResume, ResumeRefused, ResumeTooLarge

_MEGABYTE: Final = 1024 * 1024
_AGAIN: Final = "Sending the form again is safe: with the same Idempotency-Key it makes one lead."


def _resume(error: Exception) -> Sequence[FieldError]:
    return [FieldError(FILE_FIELD, str(error))]


def _fields(error: Exception) -> Problem:
    return refused(error.errors if isinstance(error, InvalidFields) else ())


def _no_resume(error: Exception) -> Problem:
    return refused(_resume(error))


def _resume_refused(error: Exception) -> Problem:
    return Problem(
        "resume-not-accepted",
        "The resume is not of a kind that is accepted",
        415,
        str(error),
        _resume(error),
    )


def _resume_too_large(error: Exception) -> Problem:
    limit = error.limit if isinstance(error, ResumeTooLarge) else 0
    detail = f"The file is too large. Please send a file of at most {limit / _MEGABYTE:g} MB."
    return Problem(
        "resume-too-large",
        "The resume is too large",
        413,
        detail,
        [FieldError(FILE_FIELD, detail)],
    )


def _form_too_large(error: Exception) -> Problem:
    return Problem("form-too-large", "The form is too large", 413, str(error))


def _wrong_type(error: Exception) -> Problem:
    return Problem("wrong-content-type", "The form has the wrong content type", 415, str(error))


def _broken(error: Exception) -> Problem:
    return Problem("broken-form", "The form could not be read", 400, str(error))


def _invalid_key(_: Exception) -> Problem:
    return Problem(
        "idempotency-key-invalid",
        "The idempotency key is not valid",
        400,
        "Send one Idempotency-Key of 1 to 255 printable ASCII characters.",
    )


def _key_reused(_: Exception) -> Problem:
    return Problem(
        "idempotency-key-reused",
        "The idempotency key was used for another submission",
        422,
        "A form with other content was already sent under this key. Use a new key for it.",
    )


def _unavailable(error: Exception) -> Problem:
    perhaps = isinstance(error, StoreUnavailable) and error.ambiguous
    state = "It is not known whether the form was" if perhaps else "The form was not"
    return Problem(
        "store-unavailable",
        "The form cannot be stored right now",
        503,
        f"{state} stored. {_AGAIN}",
        headers={"Retry-After": "5"},
    )


def _busy(_: Exception) -> Problem:
    return Problem(
        "too-many-uploads",
        "Too many forms are being sent at once",
        503,
        f"Please try again in a few seconds. {_AGAIN}",
        headers={"Retry-After": "2", "Connection": "close"},
    )


def _cross_site(_: Exception) -> Problem:
    return Problem(
        "cross-site",
        "The form was sent from another site",
        403,
        "Only this site's own form, and pages whose origin LEADLOG_INTAKE_ALLOWED_ORIGINS "
        "names, may send. A proxy in front must pass the Host header on.",
        headers={"Connection": "close"},
    )


def _too_often(error: Exception) -> Problem:
    seconds = error.seconds if isinstance(error, TooOften) else 1
    return Problem(
        "too-many-submissions",
        "Too many forms from one address",
        429,
        f"Nothing was stored. Please try again in {seconds} s.",
        headers={"Retry-After": str(seconds), "Connection": "close"},
    )


def _slow(_: Exception) -> Problem:
    return Problem(
        "body-timeout",
        "The form took too long to arrive",
        408,
        f"Nothing was stored. {_AGAIN}",
        headers={"Connection": "close"},
    )


def _gone(_: Exception) -> Problem:
    return Problem("client-gone", "The client hung up", 400, "Nothing was stored.")


ERRORS: Final[ErrorTable] = {
    InvalidFields: _fields,
    NoResume: _no_resume,
    ResumeRefused: _resume_refused,
    ResumeTooLarge: _resume_too_large,
    FormTooLarge: _form_too_large,
    WrongContentType: _wrong_type,
    BrokenForm: _broken,
    InvalidKey: _invalid_key,
    KeyReused: _key_reused,
    StoreUnavailable: _unavailable,
    TooBusy: _busy,
    CrossSite: _cross_site,
    TooOften: _too_often,
    SlowClient: _slow,
    ClientGone: _gone,
}
"""Every error of this service, by its exact class."""


def problem_for(error: Exception) -> Problem | None:
    """The answer to an error of this service; None for an unexpected one."""
    row = ERRORS.get(type(error))
    return row(error) if row else None
