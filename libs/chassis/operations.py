"""What an HTTP operation is made of [pure]: the values an Api registers and OpenAPI describes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Schema = Mapping[str, Any]


def _string() -> Schema:
    return {"type": "string"}


@dataclass(frozen=True)
class Header:
    """A response header."""

    description: str
    schema: Schema = field(default_factory=_string)


@dataclass(frozen=True)
class Parameter:
    """A request header, a cookie, or a path parameter that is no UUID."""

    name: str
    description: str = ""
    schema: Schema = field(default_factory=_string)
    location: Literal["header", "cookie", "path"] = "header"
    required: bool = False


@dataclass(frozen=True)
class ResponseSpec:
    """One response of an operation.

    Attributes:
        content: what the body holds, by media type: a pydantic model, any type pydantic can
            describe, a JSON schema as a mapping, or None for "bytes". Empty: no body.
        description: the default is the status code's phrase.
        headers: response headers by name.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    headers: Mapping[str, Header] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path; ``Api.operation`` explains each attribute."""

    method: str
    path: str
    handler: Handler
    operation_id: str
    summary: str
    responses: Mapping[int, Any]
    description: str = ""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    multipart: Schema | None = None
    problems: Sequence[int] = ()
    security: bool = False
    tags: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()
    extra: Schema = field(default_factory=dict)

    @property
    def has_body(self) -> bool:
        """Whether the operation reads a request body."""
        return any(part is not None for part in (self.body, self.form, self.multipart))

    def response_specs(self) -> dict[int, ResponseSpec]:
        """Return the declared responses, short forms written out."""
        return {status: _spec(short) for status, short in self.responses.items()}


def _spec(short: Any) -> ResponseSpec:
    if isinstance(short, ResponseSpec):
        return short
    return ResponseSpec({} if short is None else {"application/json": short})
