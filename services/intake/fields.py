"""The form's text fields: the one model that validates them and describes them (pure)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from libs.chassis.errors import FieldError
from services.intake.text import is_visible, many_lines, one_line, phone_number

NAME_MAX: Final = 100
EMAIL_MAX: Final = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
PHONE_MAX: Final = 40
MESSAGE_MAX: Final = 5000
TEXT_FIELDS: Final = ("first_name", "last_name", "email", "phone", "message")
KEY_FIELD: Final = "idempotency_key"
"""The hosted form's hidden field: what the Idempotency-Key header is for scripts."""


class InvalidFields(Exception):
    """Some fields cannot be taken; ``errors`` says which and why, in words for a person."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(", ".join(error.field for error in errors))
        self.errors = tuple(errors)


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("field", "{message}", {"message": message})


def _name(label: str) -> Callable[[str], str]:
    def clean(value: str) -> str:
        try:
            name = one_line(value)
        except ValueError:
            raise _refuse(f"Please use only letters and ordinary signs in your {label}.") from None
        if not is_visible(name):
            raise _refuse(f"Please enter your {label}.")
        if len(name) > NAME_MAX:
            raise _refuse(f"Please shorten your {label} to {NAME_MAX} characters.")
        return name

    return clean


def _email(value: str) -> str:
    address = value.strip()
    if not address:
        raise _refuse("Please enter your email address.")
    if len(address) > EMAIL_MAX:
        raise _refuse(f"An email address has at most {EMAIL_MAX} characters.")
    try:
        normalized = validate_email(address, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        # The library's reason can quote the address; ours must not.
        raise _refuse("Please enter an email address like name@example.com.") from None
    return normalized


def _phone(value: str | None) -> str | None:
    if value is None or not value.strip():
        return None
    if len(value.strip()) > PHONE_MAX:
        raise _refuse(f"Please shorten your phone number to {PHONE_MAX} characters.")
    try:
        return phone_number(value)
    except ValueError:
        raise _refuse(
            "Please check your phone number: use digits, spaces and + ( ) - only."
        ) from None


def _message(value: str | None) -> str | None:
    try:
        text = many_lines(value or "")
    except ValueError:
        raise _refuse("Please remove characters that cannot be shown from your message.") from None
    if len(text) > MESSAGE_MAX:
        raise _refuse(f"Please shorten your message to {MESSAGE_MAX} characters.")
    return text or None


def _schema(description: str, **more: Any) -> Any:
    return Field(description=description, json_schema_extra=more)


class ContactDetails(BaseModel):
    """Who writes to the firm, and what about."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    first_name: Annotated[
        str,
        AfterValidator(_name("first name")),
        _schema(
            "Given name, any script, no control characters.",
            minLength=1,
            maxLength=NAME_MAX,
            examples=["Ada"],
        ),
    ]
    last_name: Annotated[
        str,
        AfterValidator(_name("last name")),
        _schema(
            "Family name, any script, no control characters.",
            minLength=1,
            maxLength=NAME_MAX,
            examples=["Byron"],
        ),
    ]
    email: Annotated[
        str,
        AfterValidator(_email),
        _schema(
            "Where the firm answers.",
            format="email",
            maxLength=EMAIL_MAX,
            examples=["ada@mail.example.com"],
        ),
    ]
    phone: Annotated[
        str | None,
        AfterValidator(_phone),
        _schema(
            "Optional: digits, spaces, + ( ) - . / and an extension.",
            maxLength=PHONE_MAX,
            examples=["+44 20 7946 0018"],
        ),
    ] = None
    message: Annotated[
        str | None,
        AfterValidator(_message),
        _schema("Optional message; may have several lines.", maxLength=MESSAGE_MAX),
    ] = None


def validate(values: Mapping[str, str]) -> ContactDetails:
    """Check and clean the text fields; one that is absent counts as left empty.

    Raises:
        InvalidFields: with a plain message for each field that is wrong.
    """
    try:
        return ContactDetails.model_validate({name: values.get(name, "") for name in TEXT_FIELDS})
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
    raise InvalidFields([FieldError(str(each["loc"][0]), each["msg"]) for each in found])
