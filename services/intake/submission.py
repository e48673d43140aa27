"""From a form to a submission: everything that is wrong is said at once."""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Final

from libs.chassis.errors import FieldError
from libs.events import LeadSubmitted, ResumeRef
from services.intake.fields import KEY_FIELD, TEXT_FIELDS, ContactDetails, InvalidFields, validate
from services.intake.form import FILE_FIELD, Form, texts, the_upload
from services.intake.resume import Kind, NoResume, ResumeRefused, Upload, judge

_LABELS: Final = {
    **{name: name.replace("_", " ") for name in TEXT_FIELDS},
    KEY_FIELD: "idempotency key",
}
_PDF: Final = b"%PDF-"
_JUDGED_AT_ONCE: Final = 64 * 1024  # bytes: beyond, another thread looks


@dataclass(frozen=True, slots=True)
class Submission:
    """A form that can be taken: checked and cleaned.

    Attributes:
        contact: the text fields.
        upload: the resume's bytes, size and hash.
        kind: what it is, by its content.
        file_name: cleaned.
        form_key: the idempotency key of the form's hidden field, unchecked.
    """

    contact: ContactDetails
    upload: Upload
    kind: Kind
    file_name: str
    form_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """A hash of everything the prospect said: equal when, and only when, that is equal."""
        said = [
            *(getattr(self.contact, name) for name in TEXT_FIELDS),
            self.upload.sha256,
            self.file_name,
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def event(self, stored_as: str) -> LeadSubmitted:
        """The fact, once the resume is stored under a name."""
        resume = ResumeRef(
            object=stored_as,
            file_name=self.file_name,
            media_type=self.kind.media_type,
            size=self.upload.size,
            sha256=self.upload.sha256,
        )
        return LeadSubmitted(**self.contact.model_dump(), resume=resume)


async def examine(form: Form) -> Submission:
    """Check a form that was read to its end.

    Raises:
        InvalidFields: a field is wrong; what is wrong with the resume is told with it.
        NoResume: only the resume is wrong: none, empty, or several.
        ResumeRefused: only the resume is wrong: not an allowed kind.
    """
    contact, key, errors = _read_fields(form)
    try:
        upload = the_upload(form)
        kind, file_name = await _judge(upload)
    except (NoResume, ResumeRefused) as refused:
        if not errors:
            raise
        errors.append(FieldError(FILE_FIELD, str(refused)))
    if errors or contact is None:
        raise InvalidFields(errors)
    return Submission(contact, upload, kind, file_name, key)


def _read_fields(form: Form) -> tuple[ContactDetails | None, str | None, list[FieldError]]:
    """The contact details and the hidden key, or what is wrong with them."""
    unreadable: list[FieldError] = []
    sent: dict[str, str] = {}
    for name, label in _LABELS.items():
        try:
            sent |= texts(form, {name: label})
        except InvalidFields as invalid:
            unreadable += invalid.errors
    try:
        contact = validate(sent)
    except InvalidFields as invalid:
        told = {error.field for error in unreadable}
        others = [error for error in invalid.errors if error.field not in told]
        return None, None, [*unreadable, *others]
    return contact, sent.get(KEY_FIELD) or None, unreadable


async def _judge(upload: Upload) -> tuple[Kind, str]:
    if upload.size <= _JUDGED_AT_ONCE or _is_known_by_its_head(upload):
        return judge(upload)
    return await asyncio.to_thread(judge, upload)


def _is_known_by_its_head(upload: Upload) -> bool:
    # Most resumes are PDFs, and of those no more than the head is looked at.
    upload.file.seek(0)
    return upload.file.read(len(_PDF)) == _PDF
