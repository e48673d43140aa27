"""How ``POST /leads`` is described: made from the models that validate."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.api import Header, Parameter, ResponseSpec
from services.intake.fields import KEY_FIELD, ContactDetails
from services.intake.form import FILE_FIELD
from services.intake.idempotency import HEADER
from services.intake.resume import KINDS

POSITION: Final = "Leadlog-Position"


class LeadAccepted(BaseModel):
    """A submission that is recorded and will not be lost."""

    model_config = ConfigDict(frozen=True)

    lead_id: UUID
    status: Literal["PENDING"] = "PENDING"
    submitted_at: datetime = Field(description="When it was recorded first, UTC.")


def form_schema() -> dict[str, Any]:
    """The multipart form: the fields' model, the file, and the form's own key."""
    model = ContactDetails.model_json_schema()
    properties = {name: _as_sent(schema) for name, schema in model["properties"].items()}
    properties[FILE_FIELD] = {
        "type": "string",
        "format": "binary",
        "description": f"One file: {', '.join(kind.label for kind in KINDS)}, judged by its "
        "content, which the file's name must agree with.",
    }
    properties[KEY_FIELD] = {
        "type": "string",
        "maxLength": 255,
        "description": f"What the {HEADER} header is for, from a form that cannot set headers.",
    }
    return {
        "type": "object",
        "properties": properties,
        "required": [*model["required"], FILE_FIELD],
    }


def form_body() -> dict[str, Any]:
    """The request body, with the media types that the file may have."""
    media_types = ", ".join(kind.media_type for kind in KINDS)
    encoding = {FILE_FIELD: {"contentType": media_types}}
    content = {"multipart/form-data": {"schema": form_schema(), "encoding": encoding}}
    return {"required": True, "content": content}


def _as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    # In a form an optional field is absent or empty, never null.
    kept = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return kept | {"type": "string"}


_AT: Final = Header("The submission's position in the log.", {"type": "integer", "minimum": 1})

RESPONSES: Final = {
    202: ResponseSpec(
        {"application/json": LeadAccepted},
        "The submission is recorded durably. The same answer again for the same key.",
        {POSITION: _AT},
    ),
    303: ResponseSpec(
        {},
        "The same, for a browser: go and see the thanks.",
        {POSITION: _AT, "Location": Header("The page after the form.")},
    ),
}
KEY_PARAMETER: Final = Parameter(
    HEADER,
    "Sending again under the same key makes one lead. 1 to 255 printable ASCII characters.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
)
PROBLEMS: Final = (400, 403, 408, 413, 415, 422, 429, 503)
